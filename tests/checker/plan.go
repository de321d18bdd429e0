package checker

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Fault is a kind of misfortune.
type Fault string

// The faults. Those of the proxy and of nodes are the same but for the last four,
// which only nodes have.
const (
	Kill    Fault = "kill"    // SIGKILL, and a start some time later
	Freeze  Fault = "freeze"  // SIGSTOP, and SIGCONT some time later
	Restart Fault = "restart" // SIGTERM, and a start
	Cut     Fault = "cut"     // connections to it are closed and refused
	Mute    Fault = "mute"    // it gets requests, its answers are lost
	Stuck   Fault = "stuck"   // what is sent to it arrives late
	Slow    Fault = "slow"    // its tasks take long, as on a slow disk
	Fail    Fault = "fail"    // some of its tasks fail on it alone
	Wipe    Fault = "wipe"    // it comes back empty
)

// Proxy is the target of faults that hit Miroir itself.
const Proxy = "miroir"

// Event is one planned fault.
type Event struct {
	Fault  Fault
	Target string // a node's id, or Proxy
	At     time.Duration
	For    time.Duration
}

func (e Event) String() string {
	return fmt.Sprintf("%s %s at %v for %v", e.Fault, e.Target, e.At, e.For)
}

// Plan is all that a seed decides before anything runs.
type Plan struct {
	Seed                       uint64
	Groups, PerGroup, Replicas int
	Writers                    int
	Documents                  int  // how many ids there are
	Vectors                    bool // documents carry vectors
	// Calm says that no client leaves early and that Miroir has its ordinary times.
	Calm bool
	// Edits says that nodes know functions; embedded ones do not.
	Edits  bool
	Length time.Duration
	Events []Event
	// Wiped is the node that loses its data afterwards; empty for none. Later are
	// faults from then on.
	Wiped string
	Later []Event
}

func (p *Plan) String() string {
	return fmt.Sprintf("seed %d: %d groups of %d nodes, %d copies, %d writers, %d faults", p.Seed, p.Groups, p.PerGroup, p.Replicas, p.Writers, len(p.Events))
}

// shapes are the topologies that seeds choose from, the small ones more often.
var shapes = [][3]int{{1, 2, 2}, {2, 1, 1}, {2, 1, 1}, {2, 2, 1}, {2, 2, 2}, {1, 1, 1}, {1, 2, 1}, {2, 3, 2}, {3, 1, 1}, {1, 3, 2}}

// nodeFaults and proxyFaults are what may happen, the likely ones more than once.
var (
	nodeFaults  = []Fault{Kill, Kill, Kill, Freeze, Freeze, Restart, Cut, Mute, Mute, Stuck, Slow, Slow, Fail}
	proxyFaults = []Fault{Kill, Kill, Kill, Freeze, Restart, Cut, Mute}
)

// NewPlan makes the plan of a seed. allowed says which faults are used.
func NewPlan(seed uint64, allowed []Fault) *Plan {
	r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // it must be repeatable
	shape := shapes[r.IntN(len(shapes))]
	p := &Plan{Seed: seed, Groups: shape[0], PerGroup: shape[1], Replicas: shape[2], Writers: 3 + r.IntN(3), Documents: 9, Vectors: r.IntN(3) == 0}
	p.Length = time.Duration(2000+r.IntN(1500)) * time.Millisecond
	p.Events = p.events(r, p.Length, allowed)
	nodes := p.nodes()
	if wiped := nodes[r.IntN(len(nodes))]; slices.Contains(allowed, Wipe) && p.copies() && r.IntN(3) == 0 {
		p.Wiped = wiped
		p.Later = slices.DeleteFunc(p.events(r, p.Length/2, allowed), func(e Event) bool { return e.Fault == Fail })
	}
	return p
}

// events draws faults over some time. Those of one target do not overlap.
func (p *Plan) events(r *rand.Rand, length time.Duration, allowed []Fault) (events []Event) {
	nodes := p.nodes()
	busy := map[string]time.Duration{} // until when a target has a fault
	failing := ""                      // only one node may have tasks that fail on it alone
	for at := 150 * time.Millisecond; at < length; at += time.Duration(100+r.IntN(700)) * time.Millisecond {
		e := Event{Target: nodes[r.IntN(len(nodes))], At: at, For: time.Duration(100+r.IntN(900)) * time.Millisecond}
		choice := nodeFaults
		if r.IntN(4) == 0 {
			e.Target, choice = Proxy, proxyFaults
		}
		e.Fault = choice[r.IntN(len(choice))]
		if !slices.Contains(allowed, e.Fault) || busy[e.Target] > at {
			continue
		}
		if e.Fault == Fail {
			if !p.copies() || failing != "" && failing != e.Target {
				continue
			}
			failing = e.Target
		}
		events = append(events, e)
		busy[e.Target] = at + e.For + 50*time.Millisecond
	}
	return events
}

// copies tells whether each shard is on two nodes at least.
func (p *Plan) copies() bool { return p.Groups*p.Replicas > 1 }

func (p *Plan) nodes() []string {
	var ids []string
	for g := range p.Groups {
		for i := range p.PerGroup {
			ids = append(ids, fmt.Sprintf("%c%d", 'a'+g, i))
		}
	}
	return ids
}
