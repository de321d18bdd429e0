package embedded

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/embedded/engine"
)

var (
	metaNextTask  = []byte("nextTask")
	metaNextIndex = []byte("nextIndex")
	metaFeatures  = []byte("features")
	metaWebhooks  = []byte("webhooks")
	metaChats     = []byte("chats")
	metaNetwork   = []byte("network")
)

// storedIndex is an index in the store, without its documents.
type storedIndex struct {
	UID        string        `json:"uid"`
	PrimaryKey string        `json:"primaryKey"`
	Created    time.Time     `json:"created"`
	Updated    time.Time     `json:"updated"`
	Settings   *api.Settings `json:"settings"`
}

func readCounter(b *bolt.Bucket, key []byte) uint32 {
	if v := b.Get(key); len(v) == 4 {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

// save writes what a group of tasks did, in one transaction.
func (c *core) save(ch *change, finished []*record) error {
	if c.store == nil {
		return nil
	}
	return c.store.update(func(tx *bolt.Tx) error {
		if err := c.saveIndexes(tx, ch); err != nil {
			return err
		}
		tasks, payloads := tx.Bucket(bucketTasks), tx.Bucket(bucketPayloads)
		for _, list := range [][]*record{finished, ch.ended} {
			for _, rec := range list {
				if err := putJSON(tasks, key32(rec.task.UID), storedRecord{Task: rec.task, Ended: rec.ended}); err != nil {
					return err
				}
				if err := payloads.Delete(key32(rec.task.UID)); err != nil {
					return err
				}
			}
		}
		for uid := range ch.forget {
			if err := tasks.Delete(key32(uid)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *core) saveIndexes(tx *bolt.Tx, ch *change) error {
	indexes, docs := tx.Bucket(bucketIndexes), tx.Bucket(bucketDocs)
	c.mu.RLock()
	next := c.nextIndex
	c.mu.RUnlock()
	if err := tx.Bucket(bucketMeta).Put(metaNextIndex, key64(next)); err != nil {
		return err
	}
	for id, x := range ch.saved {
		key := key64(id)
		if (x == nil || ch.cleared[id]) && docs.Bucket(key) != nil {
			if err := docs.DeleteBucket(key); err != nil {
				return err
			}
		}
		if x == nil {
			if err := indexes.Delete(key); err != nil {
				return err
			}
			continue
		}
		stored := storedIndex{x.uid, x.primaryKey, x.created, x.updated, x.settings}
		if err := putJSON(indexes, key, stored); err != nil {
			return err
		}
		if err := saveDocuments(docs, key, x, ch.docs[id]); err != nil {
			return err
		}
	}
	return nil
}

func saveDocuments(docs *bolt.Bucket, key []byte, x *index, list []moved) error {
	b, err := docs.CreateBucketIfNotExists(key)
	if err != nil {
		return err
	}
	for _, m := range list {
		doc, ok := x.engine.Document(m.id)
		if m.gone || !ok {
			err = b.Delete(key32(m.slot))
		} else {
			err = b.Put(key32(m.slot), storedDocument(m.id, doc))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// load reads everything back and builds the indexes anew.
func (c *core) load() error {
	return c.store.db.View(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		c.nextTask = readCounter(meta, metaNextTask)
		if v := meta.Get(metaNextIndex); len(v) == 8 {
			c.nextIndex = binary.BigEndian.Uint64(v)
		}
		for key, into := range map[string]any{string(metaFeatures): &c.features, string(metaWebhooks): &c.webhooks,
			string(metaChats): &c.chats, string(metaNetwork): &c.network} {
			if err := recall(meta, []byte(key), into); err != nil {
				return err
			}
		}
		if err := c.loadKeys(tx.Bucket(bucketKeys)); err != nil {
			return err
		}
		if err := c.loadIndexes(tx); err != nil {
			return err
		}
		return c.loadTasks(tx)
	})
}

func (c *core) loadIndexes(tx *bolt.Tx) error {
	return tx.Bucket(bucketIndexes).ForEach(func(key, value []byte) error {
		x, err := c.readIndex(tx, key, value)
		if err == nil {
			c.indexes[x.uid] = x
		}
		return err
	})
}

// readIndex builds an index from its record and its documents.
func (c *core) readIndex(tx *bolt.Tx, key, value []byte) (*index, error) {
	stored := storedIndex{Settings: api.DefaultSettings()}
	if err := json.Unmarshal(value, &stored); err != nil {
		return nil, fmt.Errorf("read index: %w", err)
	}
	x := &index{id: binary.BigEndian.Uint64(key), uid: stored.UID, primaryKey: stored.PrimaryKey,
		created: stored.Created, updated: stored.Updated, settings: stored.Settings,
		engine: engine.New(c.engineSettings(stored.Settings)), slots: newSlots()}
	if b := tx.Bucket(bucketDocs).Bucket(key); b != nil {
		if err := x.rebuild(b); err != nil {
			return nil, fmt.Errorf("rebuild index %s: %w", x.uid, err)
		}
	}
	return x, nil
}

// rebuild hands all documents to the engine at the places they had. Places that were free are filled for a moment, so
// that those behind them keep theirs.
func (x *index) rebuild(b *bolt.Bucket) error {
	var drop engine.Batch
	fill := engine.Batch{Restore: true} // the places filled for a moment have no vectors
	next := uint32(0)
	err := b.ForEach(func(key, value []byte) error {
		slot := binary.BigEndian.Uint32(key)
		id, doc, err := splitDocument(value)
		if err != nil {
			return err
		}
		for ; next < slot; next++ {
			gap := fmt.Sprintf("free place %d", next) // no document can have a blank in its id
			fill.Ops = append(fill.Ops, engine.Op{Kind: engine.OpPut, ID: gap, Doc: json.RawMessage("{}")})
			drop.Ops = append(drop.Ops, engine.Op{Kind: engine.OpDelete, ID: gap})
		}
		fill.Ops = append(fill.Ops, engine.Op{Kind: engine.OpPut, ID: id, Doc: doc})
		x.slots.byID[id] = slot
		x.slots.used.Add(slot)
		next = slot + 1
		return nil
	})
	if err != nil {
		return err
	}
	if _, err := x.engine.Apply(&fill); err != nil {
		return err
	}
	_, err = x.engine.Apply(&drop)
	return err
}

// loadTasks reads the queue. A task that was being worked on is enqueued again: nothing of it was written.
func (c *core) loadTasks(tx *bolt.Tx) error {
	payloads := tx.Bucket(bucketPayloads)
	return tx.Bucket(bucketTasks).ForEach(func(key, value []byte) error {
		var stored storedRecord
		if err := json.Unmarshal(value, &stored); err != nil {
			return fmt.Errorf("read task: %w", err)
		}
		rec := &record{task: stored.Task, op: stored.Op, ended: stored.Ended}
		uid := rec.task.UID
		if rec.op != nil {
			if rec.op.Kind == opDocuments {
				docs, err := decodeDocuments(append([]byte(nil), payloads.Get(key)...))
				if err != nil {
					return fmt.Errorf("read documents of task %d: %w", uid, err)
				}
				rec.op.docs = docs
			}
		}
		c.adopt(rec)
		return nil
	})
}

// adopt takes over a task of an earlier run.
func (c *core) adopt(rec *record) {
	uid := rec.task.UID
	if rec.op != nil {
		c.queue = append(c.queue, uid)
	}
	if b := rec.task.BatchUID; b != nil && *b >= c.nextBatch {
		c.nextBatch = *b + 1
	}
	c.records[uid] = rec
	c.order = append(c.order, uid)
}

// remember changes what is kept beside the indexes: change returns what takes the place of *kept, without touching it. It
// is in force once it is written.
func remember[T any](c *core, key []byte, kept *T, change func(old T) T) *api.Error {
	c.remembering.Lock()
	defer c.remembering.Unlock()
	c.mu.RLock()
	next := change(*kept)
	c.mu.RUnlock() // before the transaction: tasks take the two in the other order
	data, err := json.Marshal(next)
	if err == nil && c.store != nil {
		err = c.store.update(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put(key, data) })
	}
	if err != nil {
		return api.Internal(fmt.Sprintf("write %s: %v", key, err))
	}
	c.mu.Lock()
	*kept = next
	c.mu.Unlock()
	return nil
}

// recall reads what remember wrote; nothing is no error.
func recall(meta *bolt.Bucket, key []byte, into any) error {
	v := meta.Get(key)
	if v == nil {
		return nil
	}
	if err := json.Unmarshal(v, into); err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	return nil
}
