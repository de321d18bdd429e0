package actors

import (
	"encoding/json"
	"slices"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/store"
)

// Indexes get other uids in two ways: one index by PATCH /indexes/{uid}, which is
// a step of its own order, and several at once by POST /swap-indexes, which takes
// one place in the orders of all of them (swapCoordinator). Both are rows only:
// nodes know an index by its internal id.

// uidsOf lists the uids that a task names: it ends after the earlier tasks of each
// of them, and before the later ones. The list is never empty.
func uidsOf(t *store.Task) []string {
	uids := []string{t.IndexUID}
	if t.Type == api.DumpCreation || t.Type == api.SnapshotCreation {
		uids = []string{"/" + t.Type} // no uid: backups wait for each other alone
	}
	if t.Type == api.IndexSwap {
		uids = nil
	}
	for _, s := range uidSwaps(t) {
		uids = append(uids, s.A, s.B)
	}
	if len(uids) == 0 {
		return []string{""}
	}
	slices.Sort(uids)
	return slices.Compact(uids)
}

// uidSwaps says how tasks before t follow the indexes that t gives other uids to.
// As in Meilisearch the tasks of a uid that was free go the other way.
func uidSwaps(t *store.Task) []store.TaskUIDSwap {
	if t.Type != api.IndexSwap && t.Type != api.IndexUpdate {
		return nil
	}
	var d struct {
		Swaps       []api.Swap
		OldIndexUID string
		NewIndexUID string
	}
	if json.Unmarshal(t.Details, &d) != nil {
		return nil // details of our own making
	}
	var out []store.TaskUIDSwap
	for _, s := range d.Swaps {
		out = append(out, store.TaskUIDSwap{A: s.Indexes[0], B: s.Indexes[1], Before: t.UID})
	}
	if d.NewIndexUID != d.OldIndexUID {
		out = append(out, store.TaskUIDSwap{A: d.OldIndexUID, B: d.NewIndexUID, Before: t.UID})
	}
	return out
}

// renameEntry is the step of an index that gives it another uid. No node is asked.
func renameEntry(h *indexHandle, uid string) *entry {
	row := &store.Entry{IndexID: h.id, Kind: kindRenameIndex, Params: mustJSON(params{UID: uid})}
	e, err := newEntry(row, h.table.Load())
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return e
}
