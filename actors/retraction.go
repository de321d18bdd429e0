package actors

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/miroir-search/miroir/api"
)

// Messages of a retraction.
type (
	// retract asks the task keeper to take back the last tasks of an index, as far
	// as they are wanted and no node has been handed any of their entries. An index
	// id of "" stands for the tasks that belong to none.
	retract struct {
		indexID string
		wanted  map[int64]bool // by task uid
		by      *int64         // the cancelation; nil: the tasks fail
		replyTo *actor.PID
	}
	// retracted is the reply.
	retracted struct {
		indexID string
		tasks   int
	}
	// endRetract gives up what is not being committed yet; the reply comes anyhow.
	endRetract struct {
		indexID string
		replyTo *actor.PID
	}
	// retractDeadline is the coordinator's own timer.
	retractDeadline struct{ round int }
)

// IgnoreDeadLetterLogging says that the message may outlive its coordinator.
func (*retracted) IgnoreDeadLetterLogging() {}

// retraction takes tasks back that no node has been handed: those of a cancelation,
// or one whose client was told that no node took it. It goes from index to index.
// The sequencer stands still meanwhile, before all writes that wait, so that
// nothing is built on what is being taken back; afterwards it reads the store
// anew. It lives for that and is never restarted.
//
// Only the last tasks of an index can go: what comes after a write was decided
// with it in mind (insertion numbers, counts, settings, the primary key, that the
// index exists). The others are carried on.
type retraction struct {
	c      *Cluster
	self   *actor.PID
	wanted map[string]map[int64]bool // by index id: task uids
	by     *int64
	then   func() // runs at the end
	timer  *time.Timer
	unlink func() bool

	left   []string // index ids
	ended  bool
	round  int
	handle *indexHandle
	asked  *write // waits for the sequencer to stand still
	stands bool   // it does
	late   bool   // it was asked to forget that
}

// retractWait is how long a retraction waits for one index before it leaves its
// tasks alone.
const retractWait = 10 * time.Second

// retractTasks starts a retraction; then runs at its end, whatever became of it.
func (c *Cluster) retractTasks(wanted map[string]map[int64]bool, by *int64, then func()) {
	props := actor.PropsFromProducer(func() actor.Actor {
		return &retraction{c: c, wanted: wanted, by: by, then: then}
	}, actor.WithGuardian(stopOnFailure))
	c.sys.Root.SpawnPrefix(props, c.opts.Name+"-retraction-")
}

func (r *retraction) Receive(ctx actor.Context) {
	r.self = ctx.Self()
	r.c.guard("retraction", func() { r.receive(ctx) }, func(any) {})
}

func (r *retraction) receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		r.unlink = context.AfterFunc(r.c.ctx, func() { r.c.sys.Root.Stop(ctx.Self()) })
		r.left = slices.Sorted(maps.Keys(r.wanted))
		r.next()
	case *standing:
		r.onStanding(m)
	case *unsequenced:
		r.next()
	case *retracted:
		r.onRetracted(m)
	case *retractDeadline:
		if m.round == r.round {
			r.onDeadline()
		}
	case *actor.Stopped:
		if r.timer != nil {
			r.timer.Stop()
		}
		if r.unlink != nil {
			r.unlink()
		}
		r.then()
	}
	if r.round < 0 && !r.ended {
		r.ended = true
		ctx.Stop(r.self)
	}
}

// next turns to the next index, or ends.
func (r *retraction) next() {
	r.handle, r.asked, r.stands, r.late = nil, nil, false, false
	for len(r.left) > 0 {
		id := r.left[0]
		r.left = r.left[1:]
		r.round++
		if id == "" {
			r.ask(id)
			return
		}
		h, ok := r.c.registry.handleByID(id)
		if !ok {
			continue // it is being deleted, and its uid may mean another one
		}
		r.handle = h
		r.asked = &write{coordinator: r.self, handle: h, swap: true, urgent: true}
		r.c.tell(r.c.root, &toSequencer{handle: h, msg: r.asked})
		r.wait()
		return
	}
	r.round = -1
}

// wait plans the deadline of what is being waited for.
func (r *retraction) wait() {
	if r.timer != nil {
		r.timer.Stop()
	}
	self, round := r.self, r.round
	r.timer = time.AfterFunc(retractWait, func() { r.c.tell(self, &retractDeadline{round}) })
}

func (r *retraction) onStanding(m *standing) {
	if m.handle != r.handle {
		return
	}
	r.asked, r.stands, r.late = nil, true, false
	r.ask(m.handle.id)
}

func (r *retraction) ask(indexID string) {
	r.c.tell(r.c.keeper, &retract{indexID: indexID, wanted: r.wanted[indexID], by: r.by, replyTo: r.self})
	r.wait()
}

func (r *retraction) onRetracted(m *retracted) {
	if r.handle == nil && m.indexID != "" || r.handle != nil && m.indexID != r.handle.id {
		return
	}
	if r.stands {
		r.c.tell(r.handle.pid.Load(), &goOn{coordinator: r.self, dropped: m.tasks > 0})
	}
	r.next()
}

// onDeadline asks for an answer now. The sequencer stands still until there is
// one: what is being committed must be known to it.
func (r *retraction) onDeadline() {
	switch {
	case r.late:
		r.next() // a sequencer that stands still after all finds that nobody is there
		return
	case r.asked != nil:
		r.late = true
		r.c.tell(r.c.root, &toSequencerIfRunning{r.handle.id, &withdraw{r.asked}})
	case r.handle != nil:
		r.c.tell(r.c.keeper, &endRetract{r.handle.id, r.self})
	default:
		r.c.tell(r.c.keeper, &endRetract{"", r.self})
	}
	r.wait()
}

// abandonTask takes a task back whose coordinator found no node that could have
// taken it. It fails, unless a later one of its index holds it fast.
func (c *Cluster) abandonTask(uid int64, indexID string) {
	c.retractTasks(map[string]map[int64]bool{indexID: {uid: true}}, nil, func() {})
}

// droppedError is the error of a task that was given up before any node saw it.
var droppedError = mustJSON(api.NewError("miroir_no_quorum", "No node could take the write, so it was dropped. Nothing was written."))
