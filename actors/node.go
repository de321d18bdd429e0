package actors

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/sirupsen/logrus"

	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/topology"
)

// Messages of the node actor.
type (
	// callNode asks a node actor for one read call.
	callNode struct {
		ctx     context.Context
		req     *nodeclient.Request
		replyTo *actor.PID
		attempt int
	}
	// nodeCalled is its reply: always exactly one.
	nodeCalled struct {
		node    topology.NodeIndex
		attempt int
		resp    *nodeclient.Response
		err     error
		took    time.Duration
	}
	// slotFreed tells the actor that a read call has ended; err is why the node
	// must be looked at, if it must.
	slotFreed struct {
		err  error
		sure bool // the node is certainly not there
	}
	// probeDue is the actor's own timer.
	probeDue struct{ incarnation int }
	// probed is the result of a probe.
	probed struct {
		incarnation int
		version     *nodeVersion
		foreign     string // the cluster the node belongs to, when not ours
		newest      int64  // its newest task when nothing was being sent, else -1
		sent        int    // how often something had been sent before
		err         error
	}
	// retire ends the looks at a node that was released.
	retire struct{}
	// resumeDue ends the quarantine after a restart.
	resumeDue struct{ incarnation int }
)

// IgnoreDeadLetterLogging says that a reply may outlive its coordinator.
func (*nodeCalled) IgnoreDeadLetterLogging() {}

// Why a node actor answers without asking the node.
var (
	errNodeBroken     = errors.New("the node is not reachable")
	errNodeRestarting = errors.New("the node actor is starting again")
	errNodeBusy       = errors.New("the node has no free slot")
	errLegTimeout     = errors.New("the node did not answer in time")
)

// retiredReason says why a released node is not in service.
const retiredReason = "it has left the configuration, and nothing of it is needed any more"

// nodeActor owns what happens with one node: its health, its read slots and its
// ordered write lane. It does no I/O in Receive.
type nodeActor struct {
	c           *Cluster
	h           *nodeHandle
	health      health
	waiting     []*callNode
	lane        lane
	follow      follower
	incarnation int
	resuming    bool // in quarantine, or waiting for the lane to be rebuilt
	probing     bool // a probe is under way
	resetting   bool // the task keeper was told that the node has lost data
	sent        int  // how often the lane has handed something to the node
	timer       *time.Timer
	service     context.Context //nolint:containedctx // ends when the node goes out of service
	endService  context.CancelCauseFunc
}

func (a *nodeActor) Receive(ctx actor.Context) {
	a.c.guard("node", func() { a.receive(ctx) }, func(any) { a.abandon(ctx.Message()) })
}

func (a *nodeActor) receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		a.started(ctx)
	case *actor.Stopping, *actor.Restarting:
		a.stopTimer()
		a.abandon(nil)
		if _, stopping := ctx.Message().(*actor.Stopping); stopping {
			a.endService(errNodeBroken)
		}
	case *callNode:
		a.onCall(m)
	case *slotFreed:
		a.onSlotFreed(m)
	case *probeDue:
		if m.incarnation == a.incarnation {
			a.probe()
		}
	case *probed:
		if m.incarnation == a.incarnation {
			a.onProbed(m)
		}
	case *resumeDue:
		if m.incarnation == a.incarnation {
			a.c.tell(a.c.keeper, &restoreLane{node: a.h.index, replyTo: ctx.Self()})
		}
	case *followDue:
		if m.incarnation == a.incarnation {
			a.onFollowDue()
		}
	case *followed:
		a.onFollowed(m)
	case *crash:
		panic("asked to crash: " + m.why)
	default:
		a.receiveLane(m)
	}
}

// receiveLane handles what concerns the write lane.
func (a *nodeActor) receiveLane(msg any) {
	switch m := msg.(type) {
	case *laneRestored:
		a.onLaneRestored(m)
	case *deliver:
		a.onDeliver(m)
	case *delivered:
		a.onDelivered(m)
	case *nodeReset:
		a.onReset(m)
	case *forgetEntries:
		a.onForgetEntries(m)
	case *retire:
		a.stopTimer()
		a.fail(retiredReason)
	case *laneCall:
		a.onLaneCall(m)
	case *laneCalled:
		a.onLaneCalled(m)
	case *holdUnsent:
		a.onHoldUnsent(m)
	case *endHold:
		a.onEndHold(m)
	case *forgetDelivery:
		a.onForget(m)
	}
}

// crash makes an actor panic, for tests of supervision.
type crash struct{ why string }

func (a *nodeActor) started(ctx actor.Context) {
	first := a.h.status.Load() == nil
	a.incarnation = int(a.c.incarnations.Add(1))
	a.resuming = true
	now := time.Now()
	a.health = health{state: stateProbing, since: now, reason: "not asked yet"}
	a.startService()
	a.publish()
	delay := time.Duration(0)
	if !first {
		delay = a.h.restarts.next(now, rand.Float64) //nolint:gosec // jitter
		a.c.metrics.restarts.WithLabelValues("node").Inc()
	}
	self, inc := ctx.Self(), a.incarnation
	time.AfterFunc(delay, func() { a.c.tell(self, &resumeDue{inc}) })
}

func (a *nodeActor) self() *actor.PID { return a.h.pid }

// startService begins a time in which calls to the node go on.
func (a *nodeActor) startService() {
	if a.endService != nil {
		a.endService(errNodeBroken)
	}
	a.service, a.endService = context.WithCancelCause(context.Background())
}

func (a *nodeActor) stopTimer() {
	if a.timer != nil {
		a.timer.Stop()
	}
}

// abandon answers everything that waits in the actor's memory, and current,
// the message that was being handled when it panicked.
func (a *nodeActor) abandon(current any) {
	if m, ok := current.(*callNode); ok {
		a.refuse(m, errNodeRestarting)
	}
	if m, ok := current.(*deliver); ok {
		a.c.report(m.coordinator, a.h.index, m.entry, reportUnknown, nil)
	}
	if m, ok := current.(*delivered); ok {
		a.h.laneBusy, a.h.landed = false, m
	}
	if m, ok := current.(*laneCall); ok {
		m.refuse(errNodeRestarting)
	}
	if _, ok := current.(*laneCalled); ok {
		a.h.laneBusy = false
	}
	a.refuseCalls(errNodeRestarting)
	for _, w := range a.waiting {
		a.refuse(w, errNodeRestarting)
	}
	a.waiting = nil
	for _, d := range a.lane.queue {
		a.c.report(d.coordinator, a.h.index, d.entry, reportUnknown, nil)
		d.coordinator = nil
	}
}

// refuse answers a call without asking the node.
func (a *nodeActor) refuse(m *callNode, err error) {
	a.c.tell(m.replyTo, &nodeCalled{node: a.h.index, attempt: m.attempt, err: err})
}

// onCall starts a read call, queues it for a slot, or answers at once that the
// node cannot be asked.
func (a *nodeActor) onCall(m *callNode) {
	switch {
	case a.resuming:
		a.refuse(m, errNodeRestarting)
	case !a.health.state.up():
		a.refuse(m, errNodeBroken)
	case a.h.inflight.Load() < int64(a.c.opts.SlotsPerNode):
		a.start(m)
	case len(a.waiting) < a.c.opts.QueuePerNode:
		a.waiting = append(a.waiting, m)
	default:
		a.refuse(m, errNodeBusy)
	}
}

func (a *nodeActor) start(m *callNode) {
	a.h.inflight.Add(1)
	c, h, self := a.c, a.h, a.self()
	reply := &nodeCalled{node: h.index, attempt: m.attempt}
	service := a.service
	c.spawn("node call", func() {
		// A node that turns out to be broken ends its calls, so that their
		// reads go elsewhere at once.
		ctx, cancel := context.WithCancelCause(m.ctx)
		unlink := context.AfterFunc(service, func() { cancel(context.Cause(service)) })
		defer func() {
			unlink()
			cancel(nil)
			h.inflight.Add(-1)
			if reply.resp == nil && reply.err == nil {
				reply.err = errors.New("the call ended without an answer")
			}
			c.tell(m.replyTo, reply)
			c.tell(self, suspicion(m.ctx, reply.resp, reply.err))
		}()
		began := time.Now()
		reply.resp, reply.err = c.client.Do(ctx, h.node.Address, m.req)
		reply.took = time.Since(began)
		if reply.err == nil {
			h.observe(reply.took)
		}
	}, nil)
}

// suspicion says whether the end of a call casts doubt on the node. A client
// that left does not, nor does a node that says it is busy. A call that took too
// long or a single 5xx may be the request's fault: the node is looked at before
// it is given up.
func suspicion(ctx context.Context, resp *nodeclient.Response, err error) *slotFreed {
	switch {
	case err != nil && ctx.Err() != nil:
		if !errors.Is(context.Cause(ctx), errLegTimeout) {
			return &slotFreed{}
		}
		return &slotFreed{err: err}
	case err != nil:
		return &slotFreed{err: err, sure: true}
	case resp.Status >= 500 && resp.Status != 503:
		return &slotFreed{err: fmt.Errorf("it answered %d", resp.Status)}
	}
	return &slotFreed{}
}

func (a *nodeActor) onSlotFreed(m *slotFreed) {
	switch {
	case m.err == nil || !a.health.state.up():
	case m.sure:
		a.fail(m.err.Error())
	default:
		a.probe()
	}
	for len(a.waiting) > 0 && a.h.inflight.Load() < int64(a.c.opts.SlotsPerNode) {
		next := a.waiting[0]
		a.waiting = a.waiting[1:]
		if next.ctx.Err() != nil {
			a.refuse(next, next.ctx.Err())
			continue
		}
		a.start(next)
	}
}

// fail takes the node out of service and plans its next probe.
func (a *nodeActor) fail(reason string) {
	now := time.Now()
	changed := a.health.fail(now, reason)
	a.endService(errNodeBroken)
	a.publish()
	if changed {
		level := logrus.WarnLevel
		if reason == retiredReason { // as planned
			level = logrus.InfoLevel
		}
		a.c.log.WithFields(logrus.Fields{"node": a.h.node.ID, "state": a.health.state.String(), "reason": reason}).
			Log(level, "node is out of service")
	}
	for _, w := range a.waiting {
		a.refuse(w, errNodeBroken)
	}
	a.waiting = nil
	a.refuseCalls(errNodeBroken)
	for _, d := range a.lane.queue {
		a.reportMissed(d)
	}
	a.probeIn(a.health.nextProbe(rand.Float64)) //nolint:gosec // jitter
}

// probeIn plans the next probe, instead of the one planned before.
func (a *nodeActor) probeIn(d time.Duration) {
	a.stopTimer()
	self, inc := a.self(), a.incarnation
	a.timer = time.AfterFunc(d, func() { a.c.tell(self, &probeDue{inc}) })
}

// publish shows the health to planners, operators and the task keeper.
func (a *nodeActor) publish() {
	a.h.status.Store(&nodeStatus{a.health.state, a.health.since, a.health.reason})
	a.c.views.setState(a.h.index, a.health.state)
	if a.h.released.Load() {
		a.c.metrics.forgetNode(a.h.node.ID)
	} else {
		a.c.metrics.showNode(a.h.node.ID, a.health.state)
	}
	a.c.tell(a.c.keeper, &nodeChanged{a.h.index, a.health.state})
}
