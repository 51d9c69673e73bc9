package file

// ForgottenIDs are the rows of the table gone: from first to last. Last is 0 for none.
type ForgottenIDs struct{ First, Last int64 }

// ReadForgotten reads which rows the table gone has.
func ReadForgotten(c *Conn) (g ForgottenIDs, err error) {
	if g.First, err = c.Number("SELECT min(n) FROM gone"); err == nil {
		g.Last, err = c.Number("SELECT max(n) FROM gone")
	}
	return g, err
}

// ForgottenDigest is the digest of row n of the table gone.
func ForgottenDigest(d Digest, n int64, id []byte) Digest { return d.number(n).bytes(id) }
