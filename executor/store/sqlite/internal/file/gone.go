package file

// goneIDs are the rows of the table gone: from first to last. Last is 0 for none.
type goneIDs struct{ First, Last int64 }

func ReadGone(c *Conn) (g goneIDs, err error) {
	if g.First, err = c.Number("SELECT min(n) FROM gone"); err == nil {
		g.Last, err = c.Number("SELECT max(n) FROM gone")
	}
	return g, err
}

func GoneDigest(d Digest, n int64, id []byte) Digest { return d.number(n).bytes(id) }
