package executor

import (
	"context"
	"errors"
)

// errNotAll is the error of a submission that is not recorded because another one is refused.
var errNotAll = errors.New("another one of the tasks was refused")

// submitAll is Submit, but it records all of the submissions, or none: then each has an error.
func (e *Executor) submitAll(ctx context.Context, submissions []Submission) ([]Submitted, error) {
	return e.submitBy(ctx, submissions, func(ctx context.Context, admitted []Submission) (answers []Submitted, err error) {
		refused := len(admitted) < len(submissions) // for the hidden values of one there is no room
		if refused {
			answers = make([]Submitted, len(admitted))
		} else if answers, err = e.store.SubmitAll(ctx, admitted); err != nil {
			return nil, err
		}
		for i := range answers {
			refused = refused || answers[i].Err != nil
		}
		for i := range answers {
			if refused && answers[i].Err == nil {
				answers[i].Err = errNotAll
			}
		}
		return answers, nil
	})
}
