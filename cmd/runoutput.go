package cmd

import (
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/jobline/jobline/schema"
)

// output shows a piece of a stream. The task waits until the piece is shown, so
// nothing is missing, unless the task was told to stop.
func (f *follower) output(o *schema.OutputEvent) error {
	data, err := decodeOutput(o.Data, o.Encoding)
	if err != nil {
		return err
	}
	f.lost[o.Stream] += o.Gap
	if f.outputOnly && o.Stream == schema.Stdout {
		return f.show.result(data)
	}
	_, err = f.show.Write(data)
	return err
}

// reportLost says how much of the output of a finished task was not shown.
func (f *follower) reportLost() {
	for i, lost := range f.lost {
		if lost > 0 {
			f.show.say("%s lacks %s that nobody read before the task had to stop", schema.Stream(i), counted(lost, "byte"))
		}
	}
}

// checkComplete is an error where a part of stdout was not shown.
func (f *follower) checkComplete() error {
	if f.lost[schema.Stdout] > 0 {
		return errors.New("the output is not complete")
	}
	return nil
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
