package actors

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/topology"
)

// readJob is one kind of read: what to ask a node, and how the answers become
// one. It is pure but for what the cluster's tables say.
type readJob interface {
	// index is the index that is read; its table says where shards are.
	index() *indexView
	// need are the shards that the answer must cover.
	need() topology.ShardSet
	// request is the call for one leg; alone says that no other leg is asked.
	request(leg topology.Leg, alone bool) (*nodeclient.Request, error)
	// original is the client's own request, as one node would get it, for the
	// words of an error; nil when the leg's own answer has them.
	original() *nodeclient.Request
	// join makes the client's body. versions are the nodes' that answered.
	join(bodies [][]byte, alone bool, version *nodeVersion) ([]byte, error)
}

// startRead begins a coordinator's one read.
type startRead struct {
	ctx       context.Context
	job       readJob
	onMissing string
	reply     func(*messages.Answer)
}

// readLeg is a leg under way.
type readLeg struct {
	topology.Leg
	attempt int
	body    []byte
	done    bool
}

// readDeadline is the coordinator's own timer.
type readDeadline struct{}

// readCoordinator takes one read from its plan to the answer. It lives for that
// read only and is never restarted.
type readCoordinator struct {
	c        *Cluster
	m        *startRead
	ctx      context.Context //nolint:containedctx // of this one read
	cancel   context.CancelFunc
	timer    *time.Timer
	legs     []*readLeg
	failed   []bool // nodes that are not asked again
	missing  topology.ShardSet
	calls    int
	refusal  *nodeclient.Response
	replay   bool
	replayed int // the attempt of the replay
	unlink   func() bool
	lastErr  error
	answered bool
	alone    bool
	mixed    bool // the nodes asked have applied different settings
	version  *nodeVersion
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
		if r.answered {
			return
		}
		if r.replay {
			r.finish(ctx, r.refused(r.refusal))
			return
		}
		r.lastErr = errors.Join(r.lastErr, context.DeadlineExceeded)
		for _, l := range r.legs {
			if !l.done {
				r.missing.AddAll(l.Shards)
				l.done = true
			}
		}
		r.conclude(ctx)
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
	r.missing = topology.NewShardSet(m.job.index().table.Shards())
	group := int(r.c.queries.Add(1)) % r.c.snap.Groups() //nolint:gosec // wraps round
	cover := r.c.cover(m.job.index(), m.job.need(), group)
	r.missing.AddAll(cover.Missing)
	r.alone = len(cover.Legs) == 1
	r.mixed = !r.c.views.load().agree(m.job.index().row.ID, cover.Legs)
	for _, leg := range cover.Legs {
		r.send(ctx, leg)
	}
	r.conclude(ctx)
}

// send asks one node for one leg.
func (r *readCoordinator) send(ctx actor.Context, leg topology.Leg) {
	req, err := r.m.job.request(leg, r.alone)
	if err != nil {
		r.finish(ctx, &messages.Answer{Err: api.Internal(err.Error())})
		return
	}
	l := &readLeg{Leg: leg, attempt: r.calls}
	r.legs = append(r.legs, l)
	r.call(ctx, leg.Node, l.attempt, req)
}

func (r *readCoordinator) call(ctx actor.Context, n topology.NodeIndex, attempt int, req *nodeclient.Request) {
	legCtx, cancel := context.WithTimeoutCause(r.ctx, r.c.opts.LegTimeout, errLegTimeout)
	context.AfterFunc(r.ctx, cancel)
	r.calls++
	req.Idempotent = true
	r.c.tell(r.c.nodes[n].pid, &callNode{ctx: legCtx, req: req, replyTo: ctx.Self(), attempt: attempt})
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
	i := slices.IndexFunc(r.legs, func(l *readLeg) bool { return l.attempt == m.attempt })
	if i < 0 || r.legs[i].done {
		return
	}
	l := r.legs[i]
	switch {
	case m.err != nil:
		r.fallback(ctx, l, m.err)
	case m.resp.OK():
		l.done, l.body = true, m.resp.Body
		r.version = r.c.nodes[m.node].version.Load()
		r.c.metrics.legs.WithLabelValues(r.c.nodes[m.node].node.ID, "ok").Inc()
	case isClientsFault(m.resp):
		r.refuse(ctx, m)
	default:
		r.fallback(ctx, l, answerError(m.resp))
	}
	r.conclude(ctx)
}

// isClientsFault reports whether every node would say the same. A node that
// does not know the index, or our key, speaks of itself.
func isClientsFault(resp *nodeclient.Response) bool {
	if resp.Status < 400 || resp.Status >= 500 {
		return false
	}
	switch errorCode(resp.Body) {
	case "index_not_found", "invalid_api_key", "missing_authorization_header", "too_many_search_requests":
		return false
	}
	return resp.Status != http.StatusRequestTimeout && resp.Status != http.StatusTooManyRequests
}

// fallback asks other owners for the shards of a failed leg: in the same group
// first, then in the others.
func (r *readCoordinator) fallback(ctx actor.Context, l *readLeg, err error) {
	r.c.metrics.legs.WithLabelValues(r.c.nodes[l.Node].node.ID, "failed").Inc()
	l.done = true
	r.lastErr = err
	if r.failed == nil {
		r.failed = make([]bool, len(r.c.nodes))
	}
	r.failed[l.Node] = true
	legs, missing := r.c.recover(r.m.job.index(), l.Shards, r.failed, r.c.snap.GroupOf(l.Node))
	r.missing.AddAll(missing)
	r.legs = slices.DeleteFunc(r.legs, func(o *readLeg) bool { return o == l })
	if r.alone && len(legs) > 1 {
		r.alone = false
	}
	for _, leg := range legs {
		r.c.metrics.fallbacks.Inc()
		r.send(ctx, leg)
	}
}

// refuse ends the read with a node's refusal, in the words one node would use:
// our own request differs from the client's, so that one is asked too.
func (r *readCoordinator) refuse(ctx actor.Context, m *nodeCalled) {
	r.refusal = m.resp
	req := r.m.job.original()
	if req == nil {
		r.finish(ctx, r.refused(m.resp))
		return
	}
	r.replay, r.replayed = true, r.calls
	r.call(ctx, m.node, r.calls, req)
}

func (r *readCoordinator) onReplayed(ctx actor.Context, m *nodeCalled) {
	if m.err == nil && m.resp.Status >= 400 && m.resp.Status < 500 {
		r.finish(ctx, r.refused(m.resp))
		return
	}
	r.finish(ctx, r.refused(r.refusal))
}

func (r *readCoordinator) refused(resp *nodeclient.Response) *messages.Answer {
	return &messages.Answer{Status: resp.Status, Body: r.c.clientSafe(resp.Body)}
}

// conclude answers when no leg is open.
func (r *readCoordinator) conclude(ctx actor.Context) {
	if r.answered || r.replay {
		return
	}
	for _, l := range r.legs {
		if !l.done {
			return
		}
	}
	policy := r.m.onMissing
	if policy == "" {
		policy = r.c.opts.UnavailableShards
	}
	bodies := make([][]byte, 0, len(r.legs))
	for _, l := range r.legs {
		if l.body != nil {
			bodies = append(bodies, l.body)
		}
	}
	if !r.missing.Empty() && len(bodies) == 0 && r.indexGone() {
		r.finish(ctx, &messages.Answer{Err: api.IndexNotFound(r.m.job.index().row.UID)})
		return
	}
	if !r.missing.Empty() && (policy == "error" || len(bodies) == 0) {
		r.finish(ctx, &messages.Answer{Err: r.c.unavailable(r.missing, r.lastErr)})
		return
	}
	body, err := r.m.job.join(bodies, r.alone, r.version)
	if err != nil {
		r.finish(ctx, &messages.Answer{Err: api.Internal(err.Error())})
		return
	}
	d := degradation{snap: r.c.snap, settings: r.mixed}
	d.add(nil, r.missing)
	if d.any {
		r.c.metrics.degraded.Inc()
	}
	r.finish(ctx, &messages.Answer{Status: http.StatusOK, Body: body, Degraded: d.header()})
}

func (c *Cluster) unavailable(missing topology.ShardSet, cause error) *api.Error {
	text := fmt.Sprintf("No node that holds an up-to-date copy answers for shards %s.", missing.AppendList(nil, degradedShards))
	if cause != nil {
		text += " The last one: " + string(scrub(c.registry.clientText([]byte(cause.Error())))) + "."
	}
	return api.NewError("miroir_shard_unavailable", text)
}

// indexGone reports whether the read failed because its index is being deleted.
func (r *readCoordinator) indexGone() bool {
	na := (*nodeAnswerError)(nil)
	return errors.As(r.lastErr, &na) && errorCode(na.Body) == "index_not_found"
}
