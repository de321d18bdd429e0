package actors

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// registry knows the indexes. It keeps two answers to what a uid means: the
// visible one for readers, which changes when a task is carried out, and the
// sequenced one for writers, which changes when a write gets its place in the
// order.
type registry struct {
	fleet   *topology.Fleet
	visible atomic.Pointer[map[string]*indexView]

	mu        sync.Mutex
	rows      map[string]*store.Index // by internal id; not yet visible and deleted ones too
	sequenced map[string]*indexHandle // by uid
	places    map[string]placed       // by internal id: those that do not lie on the newest placement alone
}

// indexHandle leads writers to the sequencer of an index.
type indexHandle struct {
	id     string
	shards int
	table  atomic.Pointer[topology.Table] // changed while the sequencer stands still
	pk     atomic.Pointer[string]         // the primary key as sequenced; nil until decided
	checks atomic.Pointer[documentChecks]
	pid    atomic.Pointer[actor.PID]

	writers    int         // coordinators that hold it; guarded by registry.mu
	committing bool        // a plan is being committed; the sequencer's, survives its restarts
	watching   []*dirtySet // of rebuilds; the sequencer's, survives its restarts
}

func newRegistry(fleet *topology.Fleet, places map[string]placed) *registry {
	r := &registry{fleet: fleet, rows: map[string]*store.Index{}, sequenced: map[string]*indexHandle{}, places: places}
	r.visible.Store(&map[string]*indexView{})
	return r
}

// lookup finds an index for a reader.
func (r *registry) lookup(uid string) (*indexView, bool) {
	v, ok := (*r.visible.Load())[uid]
	return v, ok
}

// list gives all visible indexes by uid.
func (r *registry) list() []*indexView {
	m := *r.visible.Load()
	out := make([]*indexView, 0, len(m))
	for _, uid := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[uid])
	}
	return out
}

// resolve finds the handle of an index for a writer, who must leave it.
func (r *registry) resolve(uid string) (*indexHandle, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h, ok := r.sequenced[uid]
	if ok {
		h.writers++
	}
	return h, ok
}

// resolveAll is resolve for several uids at one moment; those that are free are
// left out.
func (r *registry) resolveAll(uids []string) map[string]*indexHandle {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := make(map[string]*indexHandle, len(uids))
	for _, uid := range uids {
		if h, ok := r.sequenced[uid]; ok {
			h.writers++
			found[uid] = h
		}
	}
	return found
}

// reserve gives the handle of an index, and makes one with a new internal id
// for a uid that is free. The writer must leave it.
func (r *registry) reserve(uid string, shards int) *indexHandle {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h, ok := r.sequenced[uid]; ok {
		h.writers++
		return h
	}
	h := &indexHandle{id: newIndexID(), shards: shards, writers: 1}
	h.table.Store(r.fleet.Newest().Table(shards))
	r.sequenced[uid] = h
	return h
}

// uidMove is one index that gets another uid.
type uidMove struct {
	handle   *indexHandle
	from, to string
	claimed  bool // the new uid was free
}

// claim keeps the new uids of indexes free of others until moved or unclaim. It
// reports false, and claims nothing, when one belongs to an index that is not
// among them.
func (r *registry) claim(moves []uidMove) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	moving := map[*indexHandle]bool{}
	for _, m := range moves {
		moving[m.handle] = true
	}
	for _, m := range moves {
		if h := r.sequenced[m.to]; h != nil && !moving[h] {
			return false
		}
	}
	for i := range moves {
		if m := &moves[i]; r.sequenced[m.to] == nil {
			r.sequenced[m.to], m.claimed = m.handle, true
		}
	}
	return true
}

// unclaim undoes claim.
func (r *registry) unclaim(moves []uidMove) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range moves {
		if m.claimed && r.sequenced[m.to] == m.handle {
			delete(r.sequenced, m.to)
		}
	}
}

// moved gives indexes the uids that were claimed for them.
func (r *registry) moved(moves []uidMove) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range moves {
		if r.sequenced[m.from] == m.handle {
			delete(r.sequenced, m.from)
		}
	}
	for _, m := range moves {
		r.sequenced[m.to] = m.handle
	}
}

// taken reports whether writers know an index by a uid.
func (r *registry) taken(uid string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sequenced[uid] != nil
}

// release frees a uid that h was reserved for, or that h has just lost.
func (r *registry) release(uid string, h *indexHandle) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sequenced[uid] == h {
		delete(r.sequenced, uid)
	}
}

// leave says that a writer is done with an index it had resolved or reserved. A
// uid that was reserved for an index that was not made is free again after the
// last one.
func (r *registry) leave(uid string, h *indexHandle) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h.writers--
	if h.writers == 0 && r.sequenced[uid] == h && r.rows[h.id] == nil {
		delete(r.sequenced, uid)
	}
}

// put publishes a row: the visible indexes are computed anew.
func (r *registry) put(rows ...*store.Index) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := *r.visible.Load()
	next := maps.Clone(old)
	for _, row := range rows {
		if before, ok := r.rows[row.ID]; ok {
			if v := next[before.UID]; v != nil && v.row.ID == row.ID {
				delete(next, before.UID)
			}
		}
		r.rows[row.ID] = row
		if row.Deleted || !row.Visible {
			continue
		}
		v, err := newIndexView(*row, r.tableLocked(row.ID, row.Shards))
		if err != nil {
			return err
		}
		next[row.UID] = v
	}
	r.visible.Store(&next)
	return nil
}

// tables lists where the shards of indexes lie, each way once.
func (r *registry) tables() []*topology.Table {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []*topology.Table
	for _, row := range r.rows {
		if row.Deleted {
			continue
		}
		if t := r.tableLocked(row.ID, row.Shards); !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

// row is a copy of an index's row, to be changed and put back.
func (r *registry) row(id string) (store.Index, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	row, ok := r.rows[id]
	if !ok {
		return store.Index{}, false
	}
	return *row, true
}

// made puts the first row of an index, whose name is its own from now on.
func (r *registry) made(row *store.Index, h *indexHandle) error {
	r.mu.Lock()
	if r.sequenced[row.UID] == nil {
		r.sequenced[row.UID] = h
	}
	_, known := r.rows[row.ID]
	r.mu.Unlock()
	if known {
		return nil
	}
	return r.put(row)
}

// forget drops the row of a deleted index.
func (r *registry) forget(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.rows, id)
	delete(r.places, id)
}

// unmade forgets an index whose making was taken back. Writers that hold it may
// still make it; after the last of them its uid is free.
func (r *registry) unmade(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.rows, id)
	for uid, h := range r.sequenced {
		if h.id == id && h.writers == 0 {
			delete(r.sequenced, uid)
		}
	}
}

// uidOf turns an internal id back into what clients say.
func (r *registry) uidOf(id string) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	row, ok := r.rows[id]
	if !ok {
		return "", false
	}
	return row.UID, true
}

const indexIDPrefix = "miroir-i-"

// newIndexID makes an internal id: unlike anything a client would write, so that
// it can be found and replaced in the texts of nodes.
func newIndexID() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails
	return indexIDPrefix + hex.EncodeToString(b[:])
}

const indexIDLen = len(indexIDPrefix) + 20

// clientText turns every internal id in a node's text into the client's uid.
func (r *registry) clientText(text []byte) []byte {
	at := bytes.Index(text, []byte(indexIDPrefix))
	if at < 0 {
		return text
	}
	var out []byte
	for at >= 0 {
		out = append(out, text[:at]...)
		end := min(at+indexIDLen, len(text))
		if uid, ok := r.uidOf(string(text[at:end])); ok {
			out = append(out, uid...)
		} else {
			out = append(out, strings.TrimSuffix(indexIDPrefix, "-i-")...)
		}
		text = text[end:]
		at = bytes.Index(text, []byte(indexIDPrefix))
	}
	return append(out, text...)
}

func (r *registry) publicIndexes() []*messages.Index {
	views := r.list()
	out := make([]*messages.Index, len(views))
	for i, v := range views {
		out[i] = v.public
	}
	return out
}

// handleByID finds the handle of an index that has a uid for writers.
func (r *registry) handleByID(id string) (*indexHandle, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.sequenced {
		if h.id == id {
			return h, true
		}
	}
	return nil, false
}

// restore fills the registry from the store. uids are the names as writers see
// them, by internal id.
func (r *registry) restore(rows []*store.Index, uids map[string]string) error {
	for _, row := range rows {
		uid, named := uids[row.ID]
		if !named {
			continue
		}
		h := &indexHandle{id: row.ID, shards: row.Shards}
		h.table.Store(r.tableOf(row.ID, row.Shards))
		if row.PrimaryKey != "" {
			h.pk.Store(&row.PrimaryKey)
		}
		r.sequenced[uid] = h
	}
	if err := r.put(rows...); err != nil {
		return fmt.Errorf("read the indexes: %w", err)
	}
	return nil
}
