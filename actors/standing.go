package actors

import "github.com/asynkron/protoactor-go/actor"

// swapGone says that a swap's coordinator does not run any more.
type swapGone struct{ who *actor.PID }

// standStill stops the sequencer at a swap's place in its order, until the swap
// lets it go on or is gone.
func (a *sequencer) standStill(w *write) {
	a.busy, a.handle.committing, a.stands = true, true, w.coordinator
	a.watch(w.coordinator)
	a.c.tell(w.coordinator, &standing{handle: a.handle, uid: a.state.uid, created: a.state.created, deleted: a.state.deleted})
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
	if m.lsn != 0 {
		a.state.uid, a.lastLSN = m.uid, m.lsn
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
