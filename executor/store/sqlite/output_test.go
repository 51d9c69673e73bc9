package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
	"github.com/jobline/jobline/executor/store/sqlite/internal/disk"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// faulty is a store on a VFS whose calls can fail.
func faulty(t *testing.T, o faultvfs.Options, set ...func(*Options)) (*Store, *faultvfs.VFS) {
	t.Helper()
	v := faultvfs.New(t, o)
	with := Options{Path: filepath.Join(t.TempDir(), "tasks.db"), VFS: v.Name(), companyDelay: -1}
	for _, f := range set {
		f(&with)
	}
	s, err := Open(t.Context(), with)
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = s.Close() // which fails where there is no power
		disk.RemoveBegun(disk.BegunDir, s.opened)
	})
	return s, v
}

func stdoutOf(t *testing.T, s *Store, id uuid.UUID) string {
	t.Helper()
	p, err := s.Output(t.Context(), id, schema.Stdout, executor.OutputRange{Tail: -1, Limit: 1 << 30})
	require.NoError(t, err)
	require.Zero(t, p.Offset)
	return string(p.Data)
}

// Output that was written piece by piece is written again after an error, cut
// in another way: none of it is there twice.
func TestOutputIsWrittenOnceMoreAfterAnError(t *testing.T) {
	const text = "0123456789abcdefghijABCDEFGHIJ"
	for _, ends := range []bool{true, false} {
		t.Run(fmt.Sprint("ends ", ends), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, v := faulty(t, faultvfs.Options{})
				l := claim(t, s, func(r *executor.Submission) { r.Rerun = true })
				for at := 0; at < len(text); at += 10 {
					require.NoError(t, l.Write(schema.Stdout, []byte(text[at:at+10])))
					time.Sleep(2 * flushAfter)
				}
				v.Fail(faultvfs.Sync, faultvfs.WAL, sqlite3.IOERR_FSYNC, 1)
				_, err := s.Submit(t.Context(), []executor.Submission{newTask()})
				require.ErrorIs(t, err, executor.ErrStoreUnavailable)
				time.Sleep(2 * retryMost)
				text := text + "more"
				require.NoError(t, l.Write(schema.Stdout, []byte("more")))
				time.Sleep(2 * flushAfter)
				if ends {
					recorded := make(chan error, 1)
					l.Finish(completed, func(err error) { recorded <- err })
					require.NoError(t, <-recorded)
				}
				require.Equal(t, text, stdoutOf(t, s, l.Record().ID))
				require.NoError(t, s.Close())
				require.Empty(t, findings(t, s.path))

				s, err = Open(t.Context(), Options{Path: s.path})
				require.NoError(t, err)
				require.Equal(t, text, stdoutOf(t, s, l.Record().ID))
				require.NoError(t, s.Close())
			})
		})
	}
}

// Output of a transaction that failed and is in the file all the same begins at
// another place when it is written again, where the task has gone on meanwhile: no
// byte is there twice.
func TestOutputOfAFailedTransactionIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{}, func(o *Options) { o.MaxOutput = 25 })
		l := claim(t, s, func(r *executor.Submission) { r.Rerun = true })
		write := func(text string) {
			require.NoError(t, l.Write(schema.Stdout, []byte(text)))
			time.Sleep(2 * flushAfter)
		}
		write("0123456789")
		write("abcdefghij")
		v.Fail(faultvfs.Sync, faultvfs.WAL, sqlite3.IOERR_FSYNC)
		write("ABCDEFGHIJ")
		require.NotEmpty(t, s.Info().Fault)
		write("klmnopqrstuvwxyz..")
		v.Heal()
		time.Sleep(2 * retryMost)
		write("!")
		require.Empty(t, s.Info().Fault)
		require.NoError(t, s.Close())

		c, err := file.Dial(file.URI(s.path, ""), sqlite3.OPEN_READWRITE)
		require.NoError(t, err)
		rows, err := c.Number("SELECT count(*) FROM output")
		require.NoError(t, err)
		require.NotZero(t, rows)
		twice, err := c.Number("SELECT count(*) FROM output a JOIN output b ON a.ord=b.ord AND a.stream=b.stream AND a.start<b.start AND a.start+length(a.data)>b.start")
		require.NoError(t, err)
		require.Zero(t, twice)
		require.NoError(t, c.Close())
		again, err := Open(t.Context(), Options{Path: s.path, MaxOutput: 25})
		require.NoError(t, err)
		p, err := again.Output(t.Context(), l.Record().ID, schema.Stdout, executor.OutputRange{Tail: -1, Limit: 1 << 30})
		require.NoError(t, err)
		require.Equal(t, "EFGHIJklmnopqrstuvwxyz..!", string(p.Data))
		require.NoError(t, again.Close())
	})
}

// What a task has written is on the disk when its end is told, however much.
func TestOutputOfAnEndSurvivesAPowerCut(t *testing.T) {
	text := strings.Repeat("0123456789abcde\n", 40_000)
	s, v := faulty(t, faultvfs.Options{Lossy: true})
	l := claim(t, s)
	require.NoError(t, l.Write(schema.Stdout, []byte(text)))
	recorded := make(chan error, 1)
	l.Finish(completed, func(err error) {
		v.Cut()
		recorded <- err
	})
	require.NoError(t, <-recorded)
	_ = s.Close() // without power

	s, err := Open(t.Context(), Options{Path: s.path})
	require.NoError(t, err)
	require.Equal(t, text, stdoutOf(t, s, l.Record().ID))
	require.NoError(t, s.Close())
}

// TestCostOfAPieceDoesNotGrow reads a long output piece by piece, as for a client that
// follows it, and counts what SQLite reads of the files: a piece costs about as much as
// one of a shorter output. Both are longer than the cache of a connection.
func TestCostOfAPieceDoesNotGrow(t *testing.T) {
	costs := map[int]int{}
	for _, length := range []int{16 << 20, 64 << 20} {
		synctest.Test(t, func(t *testing.T) {
			costs[length] = costOfAPiece(t, length)
		})
	}
	t.Logf("page reads a piece: %v", costs)
	require.Less(t, costs[64<<20], 2*costs[16<<20])
	require.Less(t, costs[16<<20], 16<<20/4096/4)
}

// costOfAPiece returns how many pages of the files SQLite reads for a piece of a stored
// output of the given length. It must be called in a synctest bubble.
func costOfAPiece(t *testing.T, length int) int {
	s, v := faulty(t, faultvfs.Options{}, func(o *Options) { o.MaxOutput = length })
	l := claim(t, s)
	for range length >> 20 {
		require.NoError(t, l.Write(schema.Stdout, make([]byte, 1<<20)))
	}
	recorded := make(chan error, 1)
	l.Finish(completed, func(err error) { recorded <- err })
	require.NoError(t, <-recorded)
	synctest.Wait() // for the checkpoint, which reads the write-ahead log too
	reads := func() int { return v.Calls(faultvfs.Read, faultvfs.Main) + v.Calls(faultvfs.Read, faultvfs.WAL) }
	before, pieces := reads(), 0
	for at := 0; at < length; at += 101 * executor.MaxOutputPiece {
		for _, r := range []executor.OutputRange{{Offset: int64(at), Tail: -1, Limit: executor.MaxOutputPiece}, {Tail: int64(length - at), Limit: executor.MaxOutputPiece}} {
			p, err := s.Output(t.Context(), l.Record().ID, schema.Stdout, r)
			require.NoError(t, err)
			require.EqualValues(t, at, p.Offset)
			require.Len(t, p.Data, executor.MaxOutputPiece)
			pieces++
		}
	}
	cost := (reads() - before) / pieces
	require.NoError(t, s.Close())
	return cost
}

// A task that prints little has its place among such that print without end.
func TestOutputOfAQuietTask(t *testing.T) {
	const loud = 12
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		ctx, enough := context.WithCancel(t.Context())
		for range loud {
			l := claim(t, s)
			go func() {
				for ctx.Err() == nil {
					_ = l.Write(schema.Stdout, make([]byte, 256<<10))
					time.Sleep(10 * time.Millisecond)
				}
			}()
		}
		time.Sleep(time.Second)
		quiet := claim(t, s)
		require.NoError(t, quiet.Write(schema.Stdout, []byte("important\n")))
		time.Sleep(flushAfter + 100*time.Millisecond)
		s.mu.Lock()
		written := quiet.(*lease).record.out.written[schema.Stdout]
		s.mu.Unlock()
		require.EqualValues(t, 10, written)
		enough()
		synctest.Wait()
		time.Sleep(time.Second)
		require.NoError(t, s.Close())
	})
}

// A sync of the log that fails while nobody waits for it is seen all the same:
// what is told after it is not behind a hole.
func TestNoFailedSyncIsPassedOver(t *testing.T) {
	for _, c := range []struct{ reader, log, main bool }{
		{false, false, false}, {true, false, false}, {true, true, false}, {false, true, true}, {true, true, true},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, v := faulty(t, faultvfs.Options{Lossy: true})
				var leases []executor.Lease
				for range 8 {
					leases = append(leases, claim(t, s))
				}
				if c.reader {
					reader, err := file.DialReader(s.path, s.options.VFS)
					require.NoError(t, err)
					defer reader.Close()
					require.NoError(t, reader.Run("BEGIN"))
					_, err = reader.Number("SELECT count(*) FROM store")
					require.NoError(t, err)
				}
				if c.log {
					v.Fail(faultvfs.Sync, faultvfs.WAL, sqlite3.IOERR_FSYNC, 1)
				}
				if c.main {
					v.Fail(faultvfs.Sync, faultvfs.Main, sqlite3.IOERR_FSYNC, 1)
				}
				for _, l := range leases {
					require.NoError(t, l.Write(schema.Stdout, make([]byte, 1<<20)))
				}
				time.Sleep(2 * flushAfter)
				r := newTask()
				answers, err := s.Submit(t.Context(), []executor.Submission{r})
				told := err == nil && answers[0].Err == nil
				require.True(t, told || c.log || c.main)
				v.Cut()
				_ = s.Close() // without power

				s, err = Open(t.Context(), Options{Path: s.path})
				require.NoError(t, err)
				_, err = s.Get(t.Context(), r.ID)
				if told {
					require.NoError(t, err)
				}
				require.NoError(t, s.Close())
			})
		})
	}
}

// Three tasks end, most likely in one transaction whose sync fails, and more of
// them than are kept.
func TestEndsAndEvictionsOfAFailedSync(t *testing.T) {
	for _, keep := range []int{-1, 1, 2} {
		t.Run(fmt.Sprint("keep ", keep), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, v := faulty(t, faultvfs.Options{}, func(o *Options) { o.Keep = keep })
				path := s.path
				var leases []executor.Lease
				for range 3 {
					l := claim(t, s)
					require.NoError(t, l.Write(schema.Stdout, make([]byte, 5000)))
					leases = append(leases, l)
				}
				recorded := make(chan error, len(leases))
				v.Fail(faultvfs.Sync, faultvfs.WAL, sqlite3.IOERR_FSYNC, 1)
				for _, l := range leases {
					l.Finish(completed, func(err error) { recorded <- err })
				}
				for range leases {
					require.NoError(t, <-recorded)
				}
				time.Sleep(2 * retryMost)
				c, err := s.Counts(t.Context())
				require.NoError(t, err)
				require.EqualValues(t, max(keep, 0), c.Completed)
				require.NoError(t, s.Close())
				require.Empty(t, findings(t, path))
				s, err = Open(t.Context(), Options{Path: path, Keep: keep})
				require.NoError(t, err)
				require.NoError(t, s.Close())
			})
		})
	}
}

// An eviction that a failed sync has taken back is done again, and not looked
// for without end.
func TestExpiryAfterAFailedSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{Lossy: true}, func(o *Options) { o.KeepFor = 3 * time.Second })
		newEnd(t, s)
		time.Sleep(2900 * time.Millisecond)
		newEnd(t, s)
		v.Fail(faultvfs.Sync, faultvfs.WAL, sqlite3.IOERR_FSYNC, 1)
		_, err := s.Submit(t.Context(), []executor.Submission{newTask()})
		require.ErrorIs(t, err, executor.ErrStoreUnavailable)
		v.Evict()
		time.Sleep(1500 * time.Millisecond)
		s.mu.Lock()
		require.Positive(t, time.Until(s.expiry.Time()))
		s.mu.Unlock()
		c, err := s.Counts(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, c.Completed)
		time.Sleep(3 * time.Second)
		c, err = s.Counts(t.Context())
		require.NoError(t, err)
		require.Zero(t, c.Completed)
		require.NoError(t, s.Close())
	})
}

// A task that writes more than is kept between two flushes leaves a hole in
// what is stored: what is behind it is there after a restart.
func TestOutputBehindAHole(t *testing.T) {
	for _, keep := range []int{1000, 20_000, 40_000, 100_000} {
		for _, fails := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d, fails %v", keep, fails), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, v := faulty(t, faultvfs.Options{}, func(o *Options) { o.MaxOutput = keep })
					l := claim(t, s, func(r *executor.Submission) { r.Rerun = true })
					text := strings.Repeat("0123456789", 3*11*keep/100)
					for _, part := range []string{text[:len(text)/3], text[len(text)/3 : 2*len(text)/3], text[2*len(text)/3:]} {
						require.NoError(t, l.Write(schema.Stdout, []byte(part)))
						time.Sleep(2 * flushAfter)
					}
					for range 2 {
						require.NoError(t, s.Close())
						var err error
						s, err = Open(t.Context(), s.options)
						require.NoError(t, err)
						if fails {
							v.Fail(faultvfs.Sync, faultvfs.WAL, sqlite3.IOERR_FSYNC, 1)
							_, _ = s.Submit(t.Context(), []executor.Submission{newTask()})
							time.Sleep(2 * retryMost)
						}
						p, err := s.Output(t.Context(), l.Record().ID, schema.Stdout, executor.OutputRange{Tail: -1, Limit: 1 << 30})
						require.NoError(t, err)
						require.Equal(t, text[len(text)-keep:], string(p.Data))
					}
					require.NoError(t, s.Close())
				})
			})
		}
	}
}

// Events use up the numbers that the file has given out, though nothing is
// recorded meanwhile: more are asked for in time.
func TestEventsDoNotRunOutOfNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const reports = 200
		s := open(t)
		l := claim(t, s)
		w, err := s.Watch(t.Context())
		require.NoError(t, err)
		w.Subscribe(t.Context(), executor.Selector{Events: executor.AllEvents})
		s.mu.Lock()
		s.feed.SetSeq(s.reserved - reports/2)
		s.mu.Unlock()
		for i := range reports {
			require.NoError(t, l.Progress(schema.Progress{Value: float64(i)}))
			synctest.Wait()
		}
		events, err := w.Next(t.Context())
		require.NoError(t, err)
		require.Len(t, events, reports)
		w.Close()
		require.NoError(t, s.Close())
	})
}
