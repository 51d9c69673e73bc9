package exec

import (
	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// signaler is empty: there are no signals here.
type signaler struct{}

func (*signaler) requestSignal(schema.Signal) error {
	return &executor.UnreachableError{Why: "there are no signals on Windows", Cure: "cancel the task to end it"}
}

func (*signaler) endStops() {}

func (*signaler) endSignals() {}
