package cmd

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// What a server keeps of a stream of our task, and how much is asked for at a
// time. Events skip what comes faster than they are read, and this is from
// where it is fetched.
const (
	keptOutput  = 64 << 20
	outputPiece = 1 << 20
)

// cursor is how far a stream has been shown, and how much of it was lost.
type cursor struct{ at, lost int64 }

// output shows a piece of a stream, after what is missing before it.
func (f *follower) output(ctx context.Context, o *schema.OutputEvent) error {
	data, err := decodeOutput(o.Data, o.Encoding)
	if err != nil {
		return err
	}
	c := &f.streams[o.Stream]
	if err := f.fetch(ctx, o.ID, o.Stream, o.Offset); err != nil {
		return err
	}
	seen := c.at - o.Offset // a fetch answers what has come since
	if seen >= int64(len(data)) {
		return nil
	}
	c.at = o.Offset + int64(len(data))
	return f.write(o.Stream, data[seen:])
}

// rest shows what the events of a finished task have not shown.
func (f *follower) rest(ctx context.Context, task *schema.Task) error {
	if task.OutputBytes == nil {
		return nil
	}
	for i, end := range []int64{task.OutputBytes.Stdout, task.OutputBytes.Stderr, task.OutputBytes.Log} {
		if err := f.fetch(ctx, task.ID, schema.Stream(i), end); err != nil {
			return err
		}
		if lost := f.streams[i].lost; lost > 0 {
			f.show.say("%s lacks %s: the output came too fast", schema.Stream(i), counted(lost, "byte"))
		}
	}
	return nil
}

// complete says whether all of stdout was shown.
func (f *follower) complete() error {
	if f.streams[schema.Stdout].lost > 0 {
		return errors.New("the output is not complete")
	}
	return nil
}

// fetch shows a stream up to an offset, and counts what is no longer kept.
func (f *follower) fetch(ctx context.Context, id uuid.UUID, stream schema.Stream, upTo int64) error {
	c := &f.streams[stream]
	for c.at < upTo {
		piece, err := f.client.Output(ctx, schema.OutputParams{
			ID: id, Stream: &stream, Offset: &c.at, Limit: min(upTo-c.at, outputPiece),
		})
		if err != nil {
			return fmt.Errorf("the output of the task: %w", err)
		}
		data, err := decodeOutput(piece.Data, piece.Encoding)
		if err != nil {
			return err
		}
		c.lost += piece.Offset - c.at
		if c.at = piece.NextOffset; len(data) == 0 && c.at < upTo {
			c.lost, c.at = c.lost+upTo-c.at, upTo
		}
		if err := f.write(stream, data); err != nil {
			return err
		}
	}
	return nil
}

func (f *follower) write(stream schema.Stream, data []byte) error {
	if f.outputOnly && stream == schema.Stdout {
		return f.show.result(data)
	}
	_, err := f.show.Write(data)
	return err
}

func decodeOutput(data string, encoding schema.Encoding) ([]byte, error) {
	if encoding != schema.EncodingBase64 {
		return []byte(data), nil
	}
	raw, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return nil, fmt.Errorf("the output of the task: %w", err)
	}
	return raw, nil
}
