package history

import "github.com/jobline/jobline/schema"

// connectionsEnd: the reply to the shutdown of a connection is its last message. With
// mode cancel the tasks that it has submitted have ended by then, and those ends that
// it has asked for were sent.
func (x *index) connectionsEnd() {
	last := map[int]int{} // by client: the entry of the latest message that it received
	for at := range x.history.Entries {
		if e := &x.history.Entries[at]; !e.Sent {
			last[e.Client] = at
		}
	}
	for n, c := range x.clients {
		if c.shutdown == nil || c.shutdown.answer == nil {
			continue
		}
		replied := c.shutdown.answer.at
		if last[n] != replied {
			x.failAt("ends", n, last[n], "a message came behind the reply to its shutdown")
		}
		if r, ok := answerOf[*schema.ShutdownResult](c.shutdown); ok && c.cancelsAll() && r.Left > 0 {
			x.failRequest("ends", c.shutdown, "it has cancelled all, and %d tasks are left", r.Left)
		}
	}
	for _, t := range x.order {
		if t.fresh == nil || t.final == nil || !x.client(t.fresh.client).cancelsAll() {
			continue
		}
		c := x.client(t.fresh.client)
		for _, s := range t.sightings {
			if s.request != nil && s.request.at > c.shutdown.answer.at && s.rank < rankFinal {
				x.fail("ends", t, "request %s of client %d shows it %s, after the shutdown of its connection was answered",
					s.request.id, s.client, s.task.State)
			}
		}
	}
}
