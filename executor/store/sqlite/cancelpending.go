package sqlite

// pendingCancels are requests to cancel that could not be recorded yet.
type pendingCancels struct{ list []pendingCancel }

type pendingCancel struct {
	lease         *lease
	cancelRequest cancelRequest
}

func (w *pendingCancels) weight() (int, int) { return len(w.list), 0 }

func (w *pendingCancels) write(t *transaction) error {
	for _, one := range w.list {
		if err := writeCancelRequest(t, one.lease, one.cancelRequest); err != nil {
			return err
		}
	}
	return nil
}

func (w *pendingCancels) apply(*Store) {}

func (w *pendingCancels) fail(*Store, error) entry { return w }

func (w *pendingCancels) done() {}
