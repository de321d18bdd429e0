package actors

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/sirupsen/logrus"

	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
	"github.com/miroir-search/miroir/weaken"
)

// Messages of a node's write lane.
type (
	// deliver puts an entry at the end of a node's lane.
	deliver struct {
		entry       *entry
		coordinator *actor.PID // who waits for the first outcome; nil for none
	}
	// delivered is the end of one attempt to hand an entry to the node.
	delivered struct {
		lsn    int64
		result deliveryResult
	}
	// holdUnsent asks to stop at those entries of an index that surely never
	// reached the node.
	holdUnsent struct {
		indexID string
		lsns    []int64
		replyTo *actor.PID
	}
	// heldUnsent is the reply.
	heldUnsent struct {
		indexID string
		node    topology.NodeIndex
		held    []int64
	}
	// endHold drops held entries or lets them go on.
	endHold struct {
		lsns []int64
		drop bool
		all  bool // lets every held entry go on
	}
	// restoreLane asks the task keeper for what the node still has to do.
	restoreLane struct {
		node    topology.NodeIndex
		replyTo *actor.PID
	}
	// laneRestored is the reply, in LSN order. What is not in it, up to newest by
	// index id, the node has done or will not do.
	laneRestored struct {
		pending, acked []*delivery
		newest         map[string]int64
	}
	// deliveryReport tells a coordinator what became of a node's part.
	deliveryReport struct {
		node   topology.NodeIndex
		lsn    int64
		report report
		err    error
	}
)

// IgnoreDeadLetterLogging says that a report may outlive its coordinator.
func (*deliveryReport) IgnoreDeadLetterLogging() {}

// report is the first outcome of a delivery, as the coordinator counts it.
type report int

const (
	reportAccepted report = iota // the node answered 202
	reportRefused                // the node answered 4xx
	reportMissed                 // the node was surely not reached
	reportUnknown                // it may or may not have been
)

// delivery is one node's part of one entry, while it is in the lane.
type delivery struct {
	entry       *entry
	coordinator *actor.PID
	nodeTasks   []int64 // one per call that was answered
	uncertain   bool    // the next call may have reached the node already
	held        bool    // the keeper decides whether it is dropped
	released    bool    // counted by entry.sentOnce
}

func (d *delivery) release() {
	if !d.released {
		d.released = true
		d.entry.sentOnce()
	}
}

// lane is the ordered queue of writes of one node. One of them is under way at
// a time (nodeHandle.laneBusy, which outlives the actor).
type lane struct {
	queue []*delivery
	calls []*laneCall // of rebuilds, between the deliveries
}

// find returns the delivery of an entry, or nil.
func (l *lane) find(lsn int64) *delivery {
	for _, d := range l.queue {
		if d.entry.row.LSN == lsn {
			return d
		}
	}
	return nil
}

// add puts d into its place by LSN; one that is there already keeps its state.
func (l *lane) add(d *delivery) bool {
	i, found := slices.BinarySearchFunc(l.queue, d.entry.row.LSN, func(q *delivery, lsn int64) int {
		return int(q.entry.row.LSN - lsn)
	})
	if found {
		return false
	}
	l.queue = slices.Insert(l.queue, i, d)
	return true
}

// first is the delivery whose turn it is, of a lane that is not empty.
func (l *lane) first() *delivery {
	d := l.queue[0]
	if weaken.Ordering {
		for _, later := range l.queue[1:] {
			if later.entry.row.IndexID == d.entry.row.IndexID && !later.held {
				return later
			}
		}
	}
	return d
}

func (l *lane) remove(lsn int64) {
	l.queue = slices.DeleteFunc(l.queue, func(d *delivery) bool { return d.entry.row.LSN == lsn })
}

// report tells a coordinator, if there is one, what became of a delivery.
func (c *Cluster) report(to *actor.PID, n topology.NodeIndex, e *entry, r report, err error) {
	if to != nil {
		c.tell(to, &deliveryReport{node: n, lsn: e.row.LSN, report: r, err: err})
	}
}

func (a *nodeActor) onLaneRestored(m *laneRestored) {
	if !a.resuming {
		return
	}
	a.resuming = false
	for _, d := range m.pending {
		a.seen(d.entry)
		if !a.lane.add(d) {
			a.lane.find(d.entry.row.LSN).uncertain = d.uncertain
		}
	}
	for _, d := range m.acked {
		a.seen(d.entry)
		a.followDelivery(d)
	}
	a.dropDone(m)
	a.h.behind.Store(int64(len(a.lane.queue)))
	if landed := a.h.landed; landed != nil {
		a.h.landed = nil
		a.onDelivered(landed)
	}
	a.probe()
}

// dropDone takes out of the lane, and keeps out of it, what the node has done in
// an earlier run: a sequencer that starts tells all nodes of an entry that one of
// them still lacks.
func (a *nodeActor) dropDone(m *laneRestored) {
	open := map[int64]bool{}
	for _, d := range m.pending {
		open[d.entry.row.LSN] = true
	}
	for _, d := range slices.Clone(a.lane.queue) {
		if e := d.entry; e.row.LSN <= m.newest[e.row.IndexID] && !open[e.row.LSN] {
			a.c.report(d.coordinator, a.h.index, e, reportUnknown, nil)
			d.release()
			a.lane.remove(e.row.LSN)
		}
	}
	for id, lsn := range m.newest {
		a.h.newest[id] = max(a.h.newest[id], lsn)
	}
}

// seen records that an entry has reached this node's actor. Entries of one
// index come in order, so an older one is a repetition.
func (a *nodeActor) seen(e *entry) (repeated bool) {
	id := e.row.IndexID
	if e.row.LSN <= a.h.newest[id] {
		return true
	}
	a.h.newest[id] = e.row.LSN
	return false
}

func (a *nodeActor) onDeliver(m *deliver) {
	if a.seen(m.entry) {
		if d := a.lane.find(m.entry.row.LSN); d != nil && d.coordinator == nil {
			d.coordinator = m.coordinator
		}
		return
	}
	d := &delivery{entry: m.entry, coordinator: m.coordinator}
	a.lane.add(d)
	a.h.behind.Store(int64(len(a.lane.queue)))
	if !a.health.state.up() && !a.resuming {
		a.reportMissed(d)
		return
	}
	if a.health.state == stateCatchingUp && len(a.lane.queue) > longBacklog && m.entry.table.Snapshot().Groups() > 1 {
		// It will come to this write, but nobody should wait for that.
		a.c.report(d.coordinator, a.h.index, d.entry, reportUnknown, errNodeBusy)
		d.coordinator = nil
	}
	a.advance()
}

// longBacklog is how many writes a node that catches up may have before it for
// a client to wait for it.
const longBacklog = 16

// reportMissed tells the coordinator of d that the node will not take it soon.
func (a *nodeActor) reportMissed(d *delivery) {
	r := reportMissed
	if d.uncertain || len(d.nodeTasks) > 0 || a.h.laneBusy && d.entry.row.LSN == a.h.busyWith {
		r = reportUnknown
	}
	a.c.report(d.coordinator, a.h.index, d.entry, r, errNodeBroken)
	d.coordinator = nil
	d.release()
}

// advance hands the first delivery of the lane to the node, unless one is under
// way, the node is out of service, or it has yet to begin a backup.
func (a *nodeActor) advance() {
	if a.resuming || a.h.laneBusy || !a.health.state.up() || a.follow.held != nil {
		return
	}
	if call := a.lane.nextCall(); call != nil {
		a.startCall(call)
		return
	}
	if len(a.lane.queue) == 0 {
		if a.follow.pending() == 0 && a.health.caughtUp(time.Now()) {
			a.publish()
			a.c.log.WithFields(logrus.Fields{"node": a.h.node.ID, "state": "ready"}).Info("node has caught up")
		}
		return
	}
	d := a.lane.first()
	if d.held {
		return
	}
	a.h.laneBusy, a.h.busyWith = true, d.entry.row.LSN
	a.sent++
	c, h, self := a.c, a.h, a.self()
	job := deliveryJob{entry: d.entry, nodeTasks: slices.Clone(d.nodeTasks), uncertain: d.uncertain}
	res := &delivered{lsn: d.entry.row.LSN, result: deliveryResult{nodeTasks: d.nodeTasks, outcome: reportUnknown, err: errNodeRestarting}}
	c.spawn("delivery", func() {
		defer func() { c.tell(self, res) }()
		res.result = c.runDelivery(c.ctx, h, job)
	}, nil)
}

// onDelivered moves the lane by the end of an attempt.
func (a *nodeActor) onDelivered(m *delivered) {
	a.h.laneBusy = false
	if a.resuming {
		// The lane is not rebuilt yet: the result must not be lost, or the
		// write would be made twice.
		a.h.landed = m
		return
	}
	// Not always the first of the lane: an entry of another index may have come
	// with a lower number in the meantime.
	d := a.lane.find(m.lsn)
	if d == nil {
		a.advance()
		return
	}
	d.nodeTasks = m.result.nodeTasks
	switch m.result.outcome {
	case reportAccepted:
		a.leave(d, store.DeliveryAcked, nil)
		a.followDelivery(d)
		a.followSoon(0)
	case reportRefused:
		a.leave(d, store.DeliveryFailed, m.result.refusal)
	case reportMissed, reportUnknown:
		d.uncertain = m.result.outcome == reportUnknown
		a.c.log.WithFields(logrus.Fields{"node": a.h.node.ID, "entry": m.lsn, "error": m.result.err}).Warn("write did not get through; it stays in the lane")
		if len(d.nodeTasks) > 0 {
			a.c.tell(a.c.keeper, &deliveryChanged{lsn: m.lsn, node: a.h.index, state: store.DeliveryPending, nodeTasks: d.nodeTasks})
		}
		if a.health.state.up() {
			a.fail(m.result.err.Error())
		} else {
			a.reportMissed(d)
		}
		return
	}
	a.c.report(d.coordinator, a.h.index, d.entry, m.result.outcome, m.result.err)
	d.coordinator = nil
	a.advance()
}

// forgetMissed takes what waits for the node for applied.
func (a *nodeActor) forgetMissed() {
	for _, d := range slices.Clone(a.lane.queue) {
		if !d.held && !(a.h.laneBusy && d.entry.row.LSN == a.h.busyWith) {
			a.leave(d, store.DeliveryApplied, nil)
		}
	}
}

// leave takes a delivery out of the lane and records how it left.
func (a *nodeActor) leave(d *delivery, s store.DeliveryState, refusal json.RawMessage) {
	d.release()
	a.lane.remove(d.entry.row.LSN)
	a.h.behind.Store(int64(len(a.lane.queue)))
	a.c.tell(a.c.keeper, &deliveryChanged{
		lsn: d.entry.row.LSN, node: a.h.index, state: s, nodeTasks: d.nodeTasks, err: refusal,
	})
}

func (a *nodeActor) onHoldUnsent(m *holdUnsent) {
	reply := &heldUnsent{indexID: m.indexID, node: a.h.index}
	for _, lsn := range m.lsns {
		d := a.lane.find(lsn)
		if d == nil || a.resuming || d.uncertain || len(d.nodeTasks) > 0 || a.h.laneBusy && a.h.busyWith == lsn {
			continue
		}
		d.held = true
		reply.held = append(reply.held, lsn)
	}
	a.c.tell(m.replyTo, reply)
}

func (a *nodeActor) onEndHold(m *endHold) {
	if m.all {
		for _, d := range a.lane.queue {
			d.held = false
		}
	}
	for _, lsn := range m.lsns {
		d := a.lane.find(lsn)
		if d == nil {
			continue
		}
		if m.drop && d.held {
			a.c.report(d.coordinator, a.h.index, d.entry, reportMissed, errDropped)
			d.coordinator = nil
			a.leave(d, store.DeliveryDropped, nil)
		}
		d.held = false
	}
	a.advance()
}

// errDropped says that a write was taken back before the node was handed it.
var errDropped = errors.New("the write was taken back")
