package actors

import "time"

// nodeState is what the cluster thinks of a node.
type nodeState int32

// A node is read and written to while it is ready or catching up. A broken one
// waits for its next probe; probing is the time a probe takes.
const (
	stateProbing nodeState = iota
	stateReady
	stateCatchingUp
	stateBroken
)

func (s nodeState) String() string {
	switch s {
	case stateReady:
		return "ready"
	case stateCatchingUp:
		return "catching up"
	case stateBroken:
		return "broken"
	case stateProbing:
	}
	return "probing"
}

// up reports whether the node is spoken to.
func (s nodeState) up() bool { return s == stateReady || s == stateCatchingUp }

// health is the state of a node with its history, and when to look again. It
// is pure: the node actor moves events in and acts on what comes out.
type health struct {
	state    nodeState
	since    time.Time
	reason   string
	failures int // probes failed in a row
}

const (
	probeFirst = 100 * time.Millisecond
	probeCap   = 2 * time.Second
)

// fail records that the node cannot be used. It reports whether that is news.
func (h *health) fail(now time.Time, reason string) (changed bool) {
	changed = h.state.up()
	if changed {
		h.since = now
	}
	h.state, h.reason = stateBroken, reason
	return changed
}

// recover records a good probe; behind says whether writes wait for the node.
func (h *health) recover(now time.Time, behind bool) {
	h.failures = 0
	want := stateReady
	if behind {
		want = stateCatchingUp
	}
	if h.state != want {
		h.state, h.since = want, now
	}
	h.reason = ""
	if behind {
		h.reason = "applying the writes it missed"
	}
}

// caughtUp records that no write waits for the node any more.
func (h *health) caughtUp(now time.Time) (changed bool) {
	if h.state != stateCatchingUp {
		return false
	}
	h.state, h.since, h.reason = stateReady, now, ""
	return true
}

// nextProbe is how long to wait before the next probe of a broken node:
// doubling, capped, with up to a quarter taken off at random.
func (h *health) nextProbe(random func() float64) time.Duration {
	d := probeCap
	if h.failures < 6 {
		d = min(probeFirst<<h.failures, probeCap)
	}
	h.failures++
	return d - time.Duration(random()*float64(d)/4)
}
