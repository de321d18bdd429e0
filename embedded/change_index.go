package embedded

import (
	"github.com/miroir-search/miroir/api"
)

func (ch *change) create(rec *record) outcome {
	c, op := ch.core, rec.op
	if _, err := c.lookup(op.Index); err == nil {
		return failed(api.IndexAlreadyExists(op.Index))
	}
	x := c.newIndex(op.Index)
	if op.PrimaryKey != nil {
		x.primaryKey = *op.PrimaryKey
	}
	ch.put(x)
	return outcome{details: rec.task.Details}
}

func (ch *change) update(rec *record) outcome {
	c, op := ch.core, rec.op
	x, err := c.lookup(op.Index)
	if err != nil {
		return failed(err)
	}
	next := ch.touched(x)
	if op.PrimaryKey != nil && *op.PrimaryKey != x.primaryKey {
		if x.engine.Len() > 0 {
			return failed(primaryKeyExists(x.primaryKey).Prefixed("Index `" + x.uid + "`: "))
		}
		next.primaryKey = *op.PrimaryKey
	}
	if op.NewIndex != nil && *op.NewIndex != x.uid {
		if _, err := c.lookup(*op.NewIndex); err == nil {
			return failed(api.IndexAlreadyExists(*op.NewIndex))
		}
		c.mu.Lock()
		delete(c.indexes, x.uid)
		c.mu.Unlock()
		next.uid = *op.NewIndex
		ch.renameTasks(map[string]string{x.uid: next.uid, next.uid: x.uid}, rec.task.UID)
	}
	ch.put(next)
	return outcome{details: rec.task.Details}
}

func (ch *change) drop(rec *record) outcome {
	c := ch.core
	x, err := c.lookup(rec.op.Index)
	if err != nil {
		return failed(err)
	}
	n := x.engine.Len()
	c.mu.Lock()
	delete(c.indexes, x.uid)
	c.mu.Unlock()
	ch.saved[x.id] = nil
	return outcome{details: &api.Details{DeletedDocuments: api.Some(uint64(max(n, 0)))}}
}

// swap exchanges or renames indexes, all pairs or none.
func (ch *change) swap(rec *record) outcome {
	c, op := ch.core, rec.op
	c.mu.RLock()
	err := api.CheckSwaps(op.Swaps, func(uid string) bool { return c.indexes[uid] != nil })
	c.mu.RUnlock()
	if err != nil {
		return failed(err)
	}
	names := make(map[string]string)
	c.mu.Lock()
	for _, s := range op.Swaps {
		a, b := s.Indexes[0], s.Indexes[1]
		x, y := c.indexes[a], c.indexes[b]
		names[a], names[b] = b, a
		delete(c.indexes, a)
		c.indexes[b] = ch.renamed(x, b)
		if !s.Rename {
			c.indexes[a] = ch.renamed(y, a)
		}
	}
	c.mu.Unlock()
	ch.renameTasks(names, rec.task.UID)
	return outcome{details: rec.task.Details}
}

func (ch *change) renamed(x *index, uid string) *index {
	next := *x
	next.uid = uid
	ch.saved[next.id] = &next
	return &next
}

// renameTasks lets earlier tasks follow their index to its new name; those that came later name what they mean.
func (ch *change) renameTasks(names map[string]string, before uint32) {
	c := ch.core
	ch.renames = true
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, uid := range c.order {
		rec := c.records[uid]
		if uid >= before || rec.op != nil {
			continue
		}
		task, changed := *rec.task, false
		if task.IndexUID != nil {
			if to, ok := names[*task.IndexUID]; ok {
				task.IndexUID, changed = &to, true
			}
		}
		if task.Details != nil && task.Details.Swaps.IsSet() {
			task.Details, changed = renamedSwaps(task.Details, names), true
		}
		if changed {
			c.records[uid], ch.before[uid] = &record{task: &task, ended: rec.atEnd()}, rec
			ch.ended = append(ch.ended, c.records[uid])
		}
	}
}

// renamedSwaps lets the details of an earlier swap follow its indexes to their new names.
func renamedSwaps(d *api.Details, names map[string]string) *api.Details {
	out := *d
	list := make([]api.Swap, len(d.Swaps.Value()))
	for i, s := range d.Swaps.Value() {
		list[i] = api.Swap{Indexes: make([]string, len(s.Indexes)), Rename: s.Rename}
		for j, uid := range s.Indexes {
			if to, ok := names[uid]; ok {
				uid = to
			}
			list[i].Indexes[j] = uid
		}
	}
	out.Swaps = api.Some(list)
	return &out
}
