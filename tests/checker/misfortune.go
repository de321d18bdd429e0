package checker

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/miroir-search/miroir/embedded"
	"github.com/miroir-search/miroir/tests/fleet"
)

// step is one thing to do at its time.
type step struct {
	at    time.Duration
	do    func() error
	event *Happened
	last  bool // of its event
}

// misfortunes carries out events by their times, from now on, and undoes each.
func (r *run) misfortunes(t testing.TB, events []Event) {
	t.Helper()
	var steps []step
	for _, e := range events {
		steps = append(steps, r.steps(t, e)...)
	}
	slices.SortStableFunc(steps, func(a, b step) int { return int(a.at - b.at) })
	began := time.Now()
	for _, s := range steps {
		time.Sleep(s.at - time.Since(began))
		if s.event.Began == 0 {
			s.event.Began = r.history.now()
		}
		if err := s.do(); err != nil {
			s.event.Error = err.Error()
		}
		if s.last {
			s.event.Ended = r.history.now()
			r.history.fault(s.event)
		}
	}
}

// process is what both nodes and the proxy are.
func (r *run) process(t testing.TB, target string) *fleet.Process {
	t.Helper()
	if target == Proxy {
		return r.fleet.Process
	}
	return r.fleet.Node(t, target).Process
}

// failedTask is the error of tasks that fail on one node alone.
const failedTask = "no_space_left_on_device"

// steps says what is done for an event, and when.
func (r *run) steps(t testing.TB, e Event) []step {
	t.Helper()
	h, p := &Happened{Event: e}, r.process(t, e.Target)
	both := func(do, undo func() error) []step {
		return []step{{e.At, do, h, false}, {e.At + e.For, undo, h, true}}
	}
	wire := func(m fleet.WireMode) []step {
		set := func(m fleet.WireMode) func() error {
			return func() error { r.wires[e.Target].Set(m); return nil }
		}
		return both(set(m), set(fleet.Whole))
	}
	start := func() { p.Launch(t) }
	freeze := func() error { p.Freeze(t); return nil }
	thaw := func() error { p.Thaw(t); return nil }
	switch e.Fault {
	case Kill:
		return both(func() error { r.alive(p); p.Kill(); return nil }, func() error { start(); return nil })
	case Restart:
		return both(func() error { r.alive(p); p.Terminate(); return nil }, func() error {
			if !p.End(10 * time.Second) {
				r.violated("%s has not ended 10 s after SIGTERM", e.Target)
			}
			start()
			return nil
		})
	case Freeze:
		return both(freeze, thaw)
	case Cut:
		return wire(fleet.Cut)
	case Mute:
		return wire(fleet.Mute)
	case Stuck:
		return wire(fleet.Stuck)
	case Slow, Fail:
		if r.opts.Real != "" {
			return r.stutter(e, h, freeze, thaw)
		}
		fault := embedded.TaskFault{Delay: 120 * time.Millisecond}
		if e.Fault == Fail {
			fault = embedded.TaskFault{Code: failedTask, Times: 2}
		}
		n := r.fleet.Node(t, e.Target)
		return both(func() error { return n.Misbehave(fault) }, n.Behave)
	case Wipe:
	}
	panic(fmt.Sprintf("BUG: no steps for %s", e.Fault))
}

// stutter makes a real node slow: it works a third of the time.
func (r *run) stutter(e Event, h *Happened, freeze, thaw func() error) []step {
	var steps []step
	for at := e.At; at < e.At+e.For; at += 60 * time.Millisecond {
		steps = append(steps, step{at, freeze, h, false}, step{at + 40*time.Millisecond, thaw, h, false})
	}
	steps[len(steps)-1].last = true
	return steps
}

// alive notices a process that ended without being asked to.
func (r *run) alive(p *fleet.Process) {
	if p.Ended() {
		r.violated("%s has ended by itself", p.Name)
	}
}

// wipe lets a node come back empty, with misfortunes while it is made whole.
func (r *run) wipe(t testing.TB) {
	t.Helper()
	n := r.fleet.Node(t, r.plan.Wiped)
	h := &Happened{Event: Event{Fault: Wipe, Target: n.ID}, Began: r.history.now()}
	r.alive(n.Process)
	n.Kill()
	n.Wipe(t)
	n.Process.Launch(t)
	h.Ended = r.history.now()
	r.history.fault(h)
	r.misfortunes(t, r.plan.Later)
}
