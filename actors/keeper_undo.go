package actors

import (
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// Settings that a node has refused are taken back by an entry of their own. A change
// that was ordered between the two was built on what was refused: what it leaves is in
// the entry that takes back, and that one stays on record until the change has ended.

// takesBack reports whether an entry takes settings back.
func takesBack(oe *openEntry) bool {
	return oe.task == nil && oe.e.p.Undo != 0 && oe.e.row.Kind == kindSettings
}

// takenBack shows the settings that hold after an undo, when last is the node
// with which a quorum has carried it out.
func (k *taskKeeper) takenBack(oe *openEntry, last topology.NodeIndex) {
	applied := appliedBy(oe)
	delete(applied, last)
	if quorumApplied(oe.e, applied) {
		return // before
	}
	applied[last] = true
	if quorumApplied(oe.e, applied) {
		k.showReverted(oe.e)
	}
}

func appliedBy(oe *openEntry) map[topology.NodeIndex]bool {
	applied := map[topology.NodeIndex]bool{}
	for n, p := range oe.parts {
		if p.state == store.DeliveryApplied {
			applied[n] = true
		}
	}
	return applied
}

// showReverted makes the settings of an undo those of its index.
func (k *taskKeeper) showReverted(undo *entry) {
	row, ok := k.c.registry.row(undo.row.IndexID)
	if !ok {
		return
	}
	row.Settings = undo.p.Settings
	k.reverted[row.ID] = undo
	if err := k.c.registry.put(&row); err != nil {
		k.c.log.WithError(err).Error("cannot publish an index")
		return
	}
	k.c.store.CommitLazily(&store.Batch{Indexes: []*store.Index{&row}})
}

// restoreReverted shows the undos that are the last settings that were carried out.
func (k *taskKeeper) restoreReverted() {
	last := map[string]*openEntry{}
	for _, oe := range k.entries {
		id := oe.e.row.IndexID
		if oe.task != nil || oe.e.row.Kind != kindSettings || oe.verdict != carriedOut || !quorumApplied(oe.e, appliedBy(oe)) {
			continue
		}
		if last[id] == nil || last[id].e.row.LSN < oe.e.row.LSN {
			last[id] = oe
		}
	}
	for _, oe := range last {
		if takesBack(oe) {
			k.showReverted(oe.e)
		}
	}
}

// stillHides reports whether an undo is followed by the end of a change that was built
// on what it takes back.
func (k *taskKeeper) stillHides(undo *openEntry) bool {
	if !takesBack(undo) {
		return false
	}
	for _, oe := range k.entries {
		if oe.task != nil && oe.e.row.Kind == kindSettings && oe.e.row.IndexID == undo.e.row.IndexID && oe.e.row.LSN < undo.e.row.LSN {
			return true
		}
	}
	return false
}

// finishUndos lets go of the undos of an index whose changes have ended.
func (k *taskKeeper) finishUndos(indexID string) {
	for _, oe := range k.entries {
		if oe.e.row.IndexID == indexID && takesBack(oe) {
			k.finishEntry(oe)
		}
	}
}
