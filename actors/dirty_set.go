package actors

import (
	"sync"

	"github.com/miroir-search/miroir/topology"
)

// maxDirty bounds the ids that a dirty set remembers; beyond it everything counts as
// touched.
const maxDirty = 200_000

// dirtySet collects the ids of some shards that writes touch while a copy is being
// compared.
type dirtySet struct {
	shards int // that the index has
	set    topology.ShardSet

	mu  sync.Mutex
	all bool
	ids map[string]struct{}
}

func newDirtySet(shards int, set topology.ShardSet) *dirtySet {
	return &dirtySet{shards: shards, set: set, ids: map[string]struct{}{}}
}

// touch adds the ids that a step stages.
func (d *dirtySet) touch(staged *numbering) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if staged == nil {
		return
	}
	staged.each(func(i int) {
		if d.all || !d.set.Has(topology.ShardOf(staged.docs.id(i), d.shards)) {
			return
		}
		d.ids[staged.docs.key(i)] = struct{}{}
		if len(d.ids) > maxDirty {
			d.all, d.ids = true, nil
		}
	})
}

// touchAll says that any document may have changed.
func (d *dirtySet) touchAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all, d.ids = true, nil
}

// touched gives the ids so far, or that it may be any.
func (d *dirtySet) touched() (ids []string, all bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id := range d.ids {
		ids = append(ids, id)
	}
	return ids, d.all
}

// write notes what an entry does to documents.
func (d *dirtySet) write(kind string, staged *numbering) {
	switch kind {
	case kindAddDocuments, kindDeleteByID:
		d.touch(staged)
	case kindCreateIndex, kindUpdateIndex, kindRenameIndex, kindDeleteIndex, kindTryEdit, kindCompact, kindRemoveLeftovers:
	default: // a clear, what a filter or a function chooses, what settings make of vectors
		d.touchAll()
	}
}

// merge adds what another set has.
func (d *dirtySet) merge(o *dirtySet) {
	ids, all := o.touched()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all = d.all || all; d.all {
		d.ids = nil
		return
	}
	if d.ids == nil {
		d.ids = map[string]struct{}{}
	}
	for _, id := range ids {
		d.ids[id] = struct{}{}
	}
}
