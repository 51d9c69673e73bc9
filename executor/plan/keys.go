package plan

// key is a key of which one task runs at a time.
type key struct {
	name    string
	front   *Task                // the task that is in a lane, or was taken
	waiting heap[*Task, byOrder] // the others
}

// queue lets a task wait for its turn among the tasks of its key. A task that waits for a time or for other
// tasks is not in the queue, so it holds up none.
func (p *Planner) queue(t *Task) {
	k := p.keys[t.Conditions.Key]
	if k == nil {
		k = &key{name: t.Conditions.Key}
		p.keys[k.name] = k
	}
	t.stage = keyed
	k.waiting.push(t)
	p.offer(k)
}

// offer puts the first task of a key into its lane, unless a task of the key runs.
func (p *Planner) offer(k *key) {
	if k.waiting.len() == 0 {
		if k.front == nil {
			delete(p.keys, k.name)
		}
		return
	}
	first := k.waiting.first()
	if front := k.front; front != nil {
		if front.stage == taken || front.Order < first.Order {
			return
		}
		p.leave(front)
		front.stage = keyed
		k.front = nil
		k.waiting.remove(first)
		k.waiting.push(front)
	} else {
		k.waiting.remove(first)
	}
	k.front = first
	p.enter(first)
}

// withdraw takes out a task that waits for its turn, or stands in a lane.
func (p *Planner) withdraw(t *Task) {
	k := p.keys[t.Conditions.Key] // there is none without a name
	if t.stage == ready {
		p.leave(t)
		if k != nil {
			k.front = nil
		}
	} else {
		k.waiting.remove(t)
	}
	if k != nil {
		p.offer(k)
	}
}
