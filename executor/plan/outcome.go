package plan

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// Error is the error of a task that ends without having run.
func (e Ending) Error() *schema.TaskError {
	if e.Cause == uuid.Nil {
		return &schema.TaskError{Kind: schema.KindExpired, Message: fmt.Sprintf("it had not started at %v", e.Task.Conditions.ExpiresAt)}
	}
	how := map[schema.On]string{schema.OnSuccess: "has not completed", schema.OnFailure: "has not failed"}[e.Task.on(e.Cause)]
	return &schema.TaskError{Kind: schema.KindDependency, Cause: e.Cause, Message: fmt.Sprintf("it comes after %v, which %s", e.Cause, how)}
}
