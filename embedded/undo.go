package embedded

import (
	"maps"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// undo takes back what a change did to the node, after the store has refused it: the indexes are read from the store
// anew, and other tasks are what they were. So memory never holds what a restart would lose.
func (ch *change) undo() {
	c := ch.core
	var indexes []*index
	err := c.store.db.View(func(tx *bolt.Tx) error {
		for id := range ch.saved {
			value := tx.Bucket(bucketIndexes).Get(key64(id))
			if value == nil {
				continue // made by this change
			}
			x, err := c.readIndex(tx, key64(id), value)
			if err != nil {
				return err
			}
			indexes = append(indexes, x)
		}
		return nil
	})
	if err != nil { // there is nothing to go back to
		c.opt.Logger.WithError(err).Error("embedded node cannot read its store")
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.indexes, func(_ string, x *index) bool {
		_, touched := ch.saved[x.id]
		return touched
	})
	for _, x := range indexes {
		c.indexes[x.uid] = x
	}
	for uid, rec := range ch.before {
		c.records[uid] = rec
		if _, gone := ch.forget[uid]; gone {
			c.order = append(c.order, uid)
		}
	}
	slices.Sort(c.order)
}
