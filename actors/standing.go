package actors

import (
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/topology"
)

// swapGone says that a swap's coordinator does not run any more.
type swapGone struct{ who *actor.PID }

// standStill stops the sequencer at a swap's place in its order, until the swap
// lets it go on or is gone.
func (a *sequencer) standStill(w *write) {
	a.busy, a.handle.committing, a.stands = true, true, w.coordinator
	a.watch(w.coordinator)
	a.c.tell(w.coordinator, &standing{handle: a.handle, uid: a.state.uid, created: a.state.created, deleted: a.state.deleted, lsn: a.lastLSN})
}

// onGoOn takes over what the swap has decided. A sequencer that was restarted in
// the meantime reads it from the store.
func (a *sequencer) onGoOn(m *goOn) {
	if a.ready && (a.stands == nil || !a.stands.Equal(m.coordinator)) {
		return
	}
	if a.stands != nil {
		a.unwatch(a.stands)
	}
	a.stands, a.busy, a.handle.committing = nil, false, false
	if m.dropped && a.ready {
		a.startOver()
	}
	if !a.ready {
		a.readAgain()
		return
	}
	if e := m.renamed; e != nil {
		a.state.uid, a.lastLSN = e.p.UID, e.row.LSN
		a.window.close(e)
	}
	a.pump()
}

// startOver forgets what was decided, because some of it is no more: the store says
// what is left. The task keeper and the lanes know.
func (a *sequencer) startOver() { a.ready, a.rereading = false, true }

// onSwapGone ends the standstill for a swap that has died: whether it was
// committed is in the store.
func (a *sequencer) onSwapGone(who *actor.PID) {
	if a.stands == nil || !a.stands.Equal(who) {
		return
	}
	a.stands, a.busy, a.ready, a.handle.committing = nil, false, false, false
	a.readAgain()
}

// readAgain reads the store anew; what an earlier reading finds is not looked at.
func (a *sequencer) readAgain() {
	a.incarnation = int(a.c.incarnations.Add(1))
	a.readStore(a.handle.pid.Load())
}

// watchIndex puts a dirty set in the place of another, between two writes.
type watchIndex struct {
	set, instead *dirtySet // either may be nil
	// call goes to the lane of a node, behind the writes so far. It may be nil.
	call  *laneCall
	node  topology.NodeIndex
	reply chan<- *watched // has room for one; nil when nobody waits
}

// watched says what the index is at the place in its order where a dirty set begins.
type watched struct {
	lsn      int64
	pk       string
	settings *api.Settings
	gone     bool // it is deleted, or was never made
}

func (a *sequencer) onWatchIndex(m *watchIndex) {
	if !a.ready || m.call != nil && len(a.window.held) > 0 {
		a.toWatch = append(a.toWatch, m) // a call's place is behind what is held back
		return
	}
	h := a.handle
	h.watching = slices.DeleteFunc(h.watching, func(d *dirtySet) bool { return d == m.instead })
	if m.set != nil {
		h.watching = append(h.watching, m.set)
	}
	if m.call != nil {
		m.call.after = a.lastLSN
		m.call.state = watched{lsn: a.lastLSN, pk: a.state.pk, settings: a.state.settings}
		a.c.tell(a.c.nodes[m.node].pid, m.call)
	}
	if m.reply != nil {
		m.reply <- &watched{lsn: a.lastLSN, pk: a.state.pk, settings: a.state.settings, gone: a.state.deleted || !a.state.created}
	}
}

// watchAgain serves those who asked while the store was being read, and tells dirty
// sets that they may have missed something.
func (a *sequencer) watchAgain() {
	for _, d := range a.handle.watching {
		d.touchAll()
	}
	a.serveWatchers()
}

// serveWatchers serves those who had to wait.
func (a *sequencer) serveWatchers() {
	waiting := a.toWatch
	a.toWatch = nil
	for _, m := range waiting {
		a.onWatchIndex(m)
	}
}
