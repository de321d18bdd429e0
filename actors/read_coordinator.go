package actors

import (
	"context"
	"errors"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/topology"
)

// startRead begins a coordinator's one read.
type startRead struct {
	ctx       context.Context
	job       readJob
	onMissing string
	reply     func(*messages.Answer)
}

// readDeadline is the coordinator's own timer, one for all rounds.
type readDeadline struct{}

// readCoordinator takes one read from its plan to the answer. It lives for that
// read only and is never restarted.
type readCoordinator struct {
	c      *Cluster
	m      *startRead
	ctx    context.Context //nolint:containedctx // of this one read
	cancel context.CancelFunc
	timer  *time.Timer
	unlink func() bool

	// The round under way; see read_round.go.
	job   readJob
	parts []readPart
	legs  []*readLeg
	begun int // how many parts have been asked

	// The round before.
	partsBefore []readPart
	legsBefore  []*readLeg

	// What holds for all rounds.
	group    int    // where the search for nodes begins
	failed   []bool // nodes that are not asked again
	lacking  topology.ShardSet
	calls    int
	lastErr  error
	late     bool // the deadline has passed
	mixed    bool // the nodes asked have applied different settings
	answered bool

	// A refusal, and the call that asks for its words.
	refusal  *nodeclient.Response
	replay   bool
	replayed int
}

func (r *readCoordinator) Receive(ctx actor.Context) {
	r.c.guard("read coordinator", func() { r.receive(ctx) }, func(any) {
		r.answer(&messages.Answer{Err: api.Internal("the read was interrupted")})
	})
}

func (r *readCoordinator) receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *startRead:
		r.start(ctx, m)
	case *nodeCalled:
		r.onReply(ctx, m)
	case *readDeadline:
		r.onDeadline(ctx)
	case *actor.Stopped:
		if r.m == nil {
			return // stopped before it began
		}
		r.timer.Stop()
		r.unlink()
		r.cancel()
		r.answer(&messages.Answer{Err: api.Internal("Miroir is stopping")})
	}
}

func (r *readCoordinator) answer(a *messages.Answer) {
	if !r.answered {
		r.answered = true
		a.Nodes = r.calls
		r.m.reply(a)
	}
}

func (r *readCoordinator) finish(ctx actor.Context, a *messages.Answer) {
	r.answer(a)
	ctx.Stop(ctx.Self())
}

func (r *readCoordinator) start(ctx actor.Context, m *startRead) {
	r.m = m
	r.ctx, r.cancel = context.WithCancel(m.ctx)
	self := ctx.Self()
	r.timer = time.AfterFunc(r.c.opts.ReadTimeout, func() { r.c.tell(self, &readDeadline{}) })
	r.unlink = context.AfterFunc(r.c.ctx, func() { r.c.tell(self, &readDeadline{}) })
	r.group = r.c.nextGroup()
	r.begin(ctx, m.job)
}

// onDeadline answers with what is there: nothing more is asked.
func (r *readCoordinator) onDeadline(ctx actor.Context) {
	if r.answered {
		return
	}
	if r.replay {
		r.finish(ctx, r.refused(r.refusal))
		return
	}
	r.late = true
	r.lastErr = errors.Join(r.lastErr, context.DeadlineExceeded)
	for _, l := range r.legs {
		if !l.done {
			r.parts[l.part].missing.AddAll(l.Shards)
			r.settle(l)
		}
	}
	for ; r.begun < len(r.parts); r.begun++ { // not asked, and too late for it
		p := &r.parts[r.begun]
		p.missing.AddAll(p.need())
	}
	r.conclude(ctx)
}

// call asks a node. It ends with the read, or sooner when it is cancelled.
func (r *readCoordinator) call(ctx actor.Context, n topology.NodeIndex, attempt int, req *nodeclient.Request) context.CancelFunc {
	legCtx, cancel := context.WithTimeoutCause(r.ctx, r.c.opts.LegTimeout, errLegTimeout)
	r.calls++
	req.Idempotent = true
	r.c.tell(r.c.nodes[n].pid, &callNode{ctx: legCtx, req: req, replyTo: ctx.Self(), attempt: attempt})
	return cancel
}

func (r *readCoordinator) onReply(ctx actor.Context, m *nodeCalled) {
	if r.answered {
		return
	}
	if r.replay {
		if m.attempt == r.replayed {
			r.onReplayed(ctx, m)
		}
		return
	}
	l := r.openLeg(m.attempt)
	if l == nil {
		return
	}
	switch {
	case m.err != nil:
		r.fallback(ctx, l, m.err)
	case m.resp.OK():
		l.body = m.resp.Body
		r.settle(l)
		r.parts[l.part].version = r.c.nodes[m.node].version.Load()
		r.c.metrics.legs.WithLabelValues(r.c.nodes[m.node].node.ID, "ok").Inc()
	case isClientsFault(m.resp):
		if !r.again(ctx, l, m.resp) {
			r.refuse(ctx, l, m)
		}
	default:
		r.fallback(ctx, l, answerError(m.resp))
	}
	r.conclude(ctx)
}
