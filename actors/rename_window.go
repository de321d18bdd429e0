package actors

import "github.com/asynkron/protoactor-go/actor"

// renameWindow keeps the entries that come behind a renaming from the nodes until
// its task has ended. Readers go by the old uid until then, and what was written
// under the new one must not be seen there: a node that holds all documents carries
// out the renaming first.
type renameWindow struct {
	renames []*entry   // whose tasks have not ended, in order
	held    [][]*entry // by task: told to the task keeper and not to the lanes
}

// close records a renaming.
func (w *renameWindow) close(e *entry) { w.renames = append(w.renames, e) }

// holds reports whether an entry has to wait: not for a renaming of its own task.
func (w *renameWindow) holds(e *entry) bool { return len(w.renames) > 0 && behind(e, w.renames[0]) }

func behind(e, rename *entry) bool {
	return e.row.LSN > rename.row.LSN && e.row.TaskUID != rename.row.TaskUID
}

// open forgets the renamings up to a settled entry and gives what waits no more.
func (w *renameWindow) open(settled int64) [][]*entry {
	for len(w.renames) > 0 && w.renames[0].row.LSN <= settled {
		w.renames = w.renames[1:]
	}
	n := 0
	for n < len(w.held) && !w.holds(w.held[n][0]) {
		n++
	}
	free := w.held[:n:n]
	w.held = w.held[n:]
	return free
}

// hold keeps entries for later. They are in the journal and will be carried out, so
// nobody waits for that: nodes in service count as if they had taken them.
func (a *sequencer) hold(entries []*entry, coordinator *actor.PID) {
	a.window.held = append(a.window.held, entries)
	view := a.c.views.load()
	for _, e := range entries {
		for _, n := range e.targets() {
			if view.states[n].up() {
				a.c.report(coordinator, n, e, reportAccepted, nil)
			} else {
				a.c.report(coordinator, n, e, reportMissed, errNodeBroken)
			}
		}
	}
}

// openWindow hands on what waited for a renaming whose task has ended.
func (a *sequencer) openWindow() {
	free := a.window.open(a.settledLSN)
	for _, entries := range free {
		a.dispatch(entries, nil)
	}
	if len(free) > 0 && a.ready {
		a.serveWatchers()
	}
}
