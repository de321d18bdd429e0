package actors

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/miroir-search/miroir/store"
)

// restoreRegistry fills the registry with what the store has, with the names as
// writers see them.
func (c *Cluster) restoreRegistry(st *store.State) error {
	uids, err := sequencedUIDs(st)
	if err != nil {
		return err
	}
	return c.registry.restore(st.Indexes, uids)
}

// sequencedUIDs gives the uid of every index once all that is decided is carried
// out: an index whose deletion is under way has lost its uid, and one whose
// renaming is under way has the new one. A renaming whose task has ended is in
// the row.
func sequencedUIDs(st *store.State) (map[string]string, error) {
	uids := map[string]string{}
	for _, row := range st.Indexes {
		if !row.Deleted {
			uids[row.ID] = row.UID
		}
	}
	open := map[int64]bool{}
	for _, t := range st.Tasks {
		open[t.UID] = true
	}
	for _, e := range st.Entries { // by LSN
		switch {
		case e.Kind == kindDeleteIndex:
			delete(uids, e.IndexID)
		case e.Kind == kindRenameIndex && open[e.TaskUID] && uids[e.IndexID] != "":
			var p params
			if err := json.Unmarshal(e.Params, &p); err != nil {
				return nil, fmt.Errorf("read entry %d: %w", e.LSN, err)
			}
			uids[e.IndexID] = p.UID
		}
	}
	return uids, nil
}

// restoreTasks reads what the task keeper has to follow.
func (c *Cluster) restoreTasks() *keeperRestored {
	ctx, cancel := c.within(30 * time.Second)
	defer cancel()
	st, err := c.load(ctx)
	if err != nil {
		return &keeperRestored{err: err}
	}
	open := map[int64]*store.Task{}
	values, err := c.store.Values(ctx, rebuildPrefix)
	if err != nil {
		return &keeperRestored{err: fmt.Errorf("read the records of rebuilds: %w", err)}
	}
	res := &keeperRestored{deliveries: st.Deliveries, rebuilds: c.readRebuilds(values)}
	for _, t := range st.Tasks { // by uid: tasks of an index end in this order
		if ordersTasks(t.Type) {
			continue // nothing that nodes do
		}
		open[t.UID] = t
		res.tracks = append(res.tracks, &track{task: t})
	}
	shards := shardsByIndex(st.Indexes)
	for _, row := range st.Entries { // by LSN: entries must be told in this order
		table := c.backupTable()
		if !backsUp(row.Kind) {
			table = c.registry.tableOf(row.IndexID, shards[row.IndexID])
		}
		e, err := newEntry(row, table)
		if err != nil {
			return &keeperRestored{err: err}
		}
		res.tracks = append(res.tracks, &track{task: open[row.TaskUID], entries: []*entry{e}})
	}
	return res
}

// load reads the store with everything that was committed lazily.
func (c *Cluster) load(ctx context.Context) (*store.State, error) {
	if err := c.store.Commit(ctx, &store.Batch{}); err != nil {
		return nil, fmt.Errorf("flush the store: %w", err)
	}
	st, err := c.store.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the store: %w", err)
	}
	return st, nil
}

func shardsByIndex(rows []*store.Index) map[string]int {
	m := make(map[string]int, len(rows))
	for _, r := range rows {
		m[r.ID] = r.Shards
	}
	return m
}

// restoreIndex reads what the sequencer of an index has to know.
func (c *Cluster) restoreIndex(ctx context.Context, h *indexHandle) *restored {
	st, err := c.load(ctx)
	if err != nil {
		return &restored{err: err}
	}
	res := &restored{tasks: map[int64]*store.Task{}, seqs: map[int64]*numbering{}}
	for _, row := range st.Indexes {
		if row.ID == h.id {
			res.index = row
		}
	}
	for _, t := range st.Tasks {
		res.tasks[t.UID] = t
	}
	for _, row := range st.Entries {
		if row.IndexID != h.id {
			continue
		}
		e, err := newEntry(row, h.table.Load())
		if err != nil {
			return &restored{err: err}
		}
		res.entries = append(res.entries, e)
		if res.tasks[row.TaskUID] == nil {
			continue
		}
		if res.seqs[row.LSN], err = c.restoreSeqs(e); err != nil {
			return &restored{err: err}
		}
	}
	raw, err := c.store.Value(ctx, seqKey(h.id))
	if err == nil {
		if err := json.Unmarshal(raw, &res.nextSeq); err != nil {
			return &restored{err: fmt.Errorf("read the insertion number of index %s: %w", h.id, err)}
		}
	}
	return res
}

// restoreSeqs reads from the journal which insertion numbers an entry gives to
// ids; 0 for those that it deletes.
func (c *Cluster) restoreSeqs(e *entry) (*numbering, error) {
	if e.row.Kind != kindAddDocuments && e.row.Kind != kindDeleteByID {
		return nil, nil
	}
	d, err := c.loadDocuments(e)
	if err != nil {
		return nil, err
	}
	return newNumbering(newIDTable(d), e.p.SkipCreation), nil
}

// commitNode records that a node is ours, and its last task.
func (c *Cluster) commitNode(ctx context.Context, h *nodeHandle) error {
	record := mustJSON(nodeRecord{Claimed: true, LastTask: h.lastTask.Load()})
	if err := c.store.Commit(ctx, &store.Batch{Values: map[string]json.RawMessage{nodeKey(h.node.ID): record}}); err != nil {
		return fmt.Errorf("record the node: %w", err)
	}
	return nil
}
