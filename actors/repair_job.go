package actors

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/miroir-search/miroir/topology"
	"github.com/miroir-search/miroir/weaken"
)

// repairJob makes one node's copy of some shards of an index equal to healthy
// copies, while the node takes writes as any other. It compares everything once
// while writes go on and collects the ids that they touch meanwhile; then again
// those alone, and again, until they are few. Only for the last of them the
// sequencer stands still. So every document is compared at a time when nothing
// changed it, and nobody waits for more than a moment.
type repairJob struct {
	c       *Cluster
	ctx     context.Context //nolint:containedctx // of the one attempt
	rebuild *rebuild
	index   *indexHandle
	pk      string

	sources  []topology.Leg
	dirty    *dirtySet
	tasks    []int64         // of the target, not known to have ended
	lastTask int64           // the newest of them, ended or not
	still    <-chan struct{} // closed when the sequencer does not stand still any more; nil before
}

// Limits of a rebuild.
const (
	maxRebuildJobs  = 2
	standstillLimit = 10 * time.Second
	// fewDirty is how many ids are compared while a sequencer stands still.
	fewDirty = 2000
	// movingRounds is how often ids are compared while writes go on before the
	// sequencer stands still for however many there are.
	movingRounds = 6
	standRounds  = 3
	// applyWait bounds the wait for a turn, or for entries to be applied.
	applyWait = 10 * time.Minute
)

var (
	errRecordChanged = errors.New("its record has changed")
	errTimeUp        = errors.New("the time to stand still was too short")
)

// runRebuild is one attempt.
func (c *Cluster) runRebuild(r *rebuild) error {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	h, ok := c.registry.handleByID(r.key.index)
	if !ok {
		return errNoSuchIndex // it is being deleted, and the record goes with it
	}
	j := &repairJob{c: c, ctx: ctx, rebuild: r, index: h}
	defer func() { j.watch(&watchIndex{instead: j.dirty}) }()
	if weaken.Rebuild {
		return j.close(nil)
	}
	if err := j.prepare(); err != nil {
		return err
	}
	return j.converge()
}

func (j *repairJob) target() topology.NodeIndex { return j.rebuild.key.node }

func (j *repairJob) id() string { return j.rebuild.key.index }

func (j *repairJob) shards() topology.ShardSet { return j.rebuild.shards }

// report shows progress.
func (j *repairJob) report(change func(p *rebuildProgress)) {
	j.c.rebuilds.report(j.rebuild.key, change)
}

// current fails once the record is gone or has become another one.
func (j *repairJob) current() error {
	if j.ctx.Err() != nil {
		return context.Cause(j.ctx)
	}
	if r := j.c.rebuilds.get(j.rebuild.key); r == nil || r.record.Generation != j.rebuild.record.Generation {
		return errRecordChanged
	}
	if !j.c.views.load().states[j.target()].up() {
		return errNodeBroken
	}
	select {
	case <-j.still:
		return errTimeUp
	default:
		return nil
	}
}

// watch sends to the sequencer of the index.
func (j *repairJob) watch(m *watchIndex) {
	j.c.tell(j.c.root, &toSequencer{handle: j.index, msg: m})
}

// await waits for a reply as long as the record stands.
func await[T any](j *repairJob, replies <-chan T, limit time.Duration) (T, error) {
	var none T
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	late := time.NewTimer(limit)
	defer late.Stop()
	for {
		select {
		case v := <-replies:
			return v, nil
		case <-late.C:
			return none, errors.New("no answer came")
		case <-tick.C:
			if err := j.current(); err != nil {
				return none, err
			}
		case <-j.ctx.Done():
			return none, context.Cause(j.ctx)
		}
	}
}

// rewatch begins a new dirty set and returns the one before with the place in the
// order where they meet.
func (j *repairJob) rewatch() (was *dirtySet, at *watched, err error) {
	was = j.dirty
	j.dirty = newDirtySet(j.index.shards, j.shards())
	reply := make(chan *watched, 1)
	j.watch(&watchIndex{set: j.dirty, instead: was, reply: reply})
	at, err = await(j, reply, time.Minute)
	if err == nil && at.gone {
		err = errNoSuchIndex
	}
	return was, at, err
}

// choose picks healthy copies of all shards.
func (j *repairJob) choose() error {
	table := j.index.table.Load()
	usable, snap := j.c.views.load().usable(table, j.id()), table.Snapshot()
	usable[j.target()] = topology.NewShardSet(j.index.shards)
	stored, need := j.c.stored(table), j.shards()
	j.sources = nil
	for g := range snap.Groups() {
		cover := topology.Covers(snap.Members(g), need, usable, stored)[0]
		j.sources = append(j.sources, cover.Legs...)
		need = cover.Missing
		if need.Empty() {
			return nil
		}
	}
	return fmt.Errorf("no healthy copy of shards %s is reachable", need.AppendList(nil, degradedShards))
}

// healthy fails when a source is not one any more.
func (j *repairJob) healthy() error {
	usable := j.c.views.load().usable(j.index.table.Load(), j.id())
	for _, leg := range j.sources {
		if !usable[leg.Node].Covers(leg.Shards) {
			return fmt.Errorf("the copy on node %s is not healthy any more", j.c.nodes[leg.Node].node.ID)
		}
	}
	return j.current()
}

// stillOurs makes sure that no source has lost its data without our noticing.
func (j *repairJob) stillOurs() error {
	for _, leg := range j.sources {
		h := j.c.nodes[leg.Node]
		ctx, cancel := context.WithTimeout(j.ctx, j.c.opts.WriteCallTimeout)
		err := j.c.checkNotOlder(ctx, h)
		cancel()
		if err != nil {
			return fmt.Errorf("node %s: %w", h.node.ID, err)
		}
	}
	return j.healthy()
}

// applied waits until the sources and the target have applied everything up to lsn.
func (j *repairJob) applied(lsn int64, limit time.Duration) error {
	nodes := []topology.NodeIndex{j.target()}
	for _, leg := range j.sources {
		nodes = append(nodes, leg.Node)
	}
	late := time.Now().Add(limit)
	for round := 0; ; round++ {
		reply := make(chan bool, 1)
		j.c.tell(j.c.keeper, &askApplied{indexID: j.id(), upTo: lsn, nodes: nodes, reply: reply})
		done, err := await(j, reply, limit)
		if err == nil && !done {
			err = j.healthy()
		}
		switch {
		case err != nil || done:
			return err
		case time.Now().After(late):
			return errTimeUp
		}
		if err := j.pause(nodeWaits(round)); err != nil {
			return err
		}
	}
}

func (j *repairJob) pause(d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-j.ctx.Done():
		return context.Cause(j.ctx)
	}
}

// converge compares until nothing differs, and closes the record.
func (j *repairJob) converge() error {
	todo := &dirtySet{all: true}
	for round := 0; ; round++ {
		was, at, err := j.rewatch()
		if err != nil {
			return err
		}
		if was != nil {
			todo.merge(was)
		}
		j.pk = at.pk
		if err := j.choose(); err != nil {
			return err
		}
		if err := j.applied(at.lsn, applyWait); err != nil {
			return err
		}
		if err := j.healthy(); err != nil { // a source may have failed alone meanwhile
			return err
		}
		if err := j.compare(todo); err != nil {
			return err
		}
		if err := j.stillOurs(); err != nil { // the next round may choose others
			return err
		}
		todo = &dirtySet{}
		ids, all := j.dirty.touched()
		if (all || len(ids) > fewDirty) && round < movingRounds {
			continue
		}
		err = j.finish()
		if !errors.Is(err, errTimeUp) || round > movingRounds+standRounds {
			return err
		}
	}
}

// finish compares what is left while the sequencer stands still.
func (j *repairJob) finish() error {
	j.report(func(p *rebuildProgress) { p.State = "finishing" })
	stands, released := make(chan *standing, 1), make(chan struct{})
	props := actor.PropsFromProducer(func() actor.Actor {
		return &stander{c: j.c, handle: j.index, limit: standstillLimit, stands: stands, released: released}
	}, actor.WithGuardian(stopOnFailure))
	pid := j.c.sys.Root.SpawnPrefix(props, j.c.opts.Name+"-standstill-")
	j.still = released
	defer func() {
		j.still = nil
		j.c.tell(pid, &letGo{})
		<-released
	}()
	at, err := await(j, stands, j.c.opts.WriteTimeout)
	switch {
	case err != nil:
		return err
	case at == nil:
		return errors.New("the sequencer did not stand still")
	case at.deleted || !at.created:
		return errNoSuchIndex
	}
	if err := j.applied(at.lsn, standstillLimit/2); err != nil {
		return err
	}
	if pk := j.index.pk.Load(); pk != nil {
		j.pk = *pk // the first documents may have come since the last round
	}
	todo := &dirtySet{}
	todo.merge(j.dirty)
	if err := j.compare(todo); err != nil {
		return err
	}
	if err := j.sameCounts(); err != nil {
		return err
	}
	if err := j.stillOurs(); err != nil {
		return err
	}
	return j.account()
}

// account takes the target's newest task of the index for accounted, and closes the
// record.
func (j *repairJob) account() error {
	err := j.turn(func(ctx context.Context, _ *laneCall, _ sender) error {
		h := j.c.nodes[j.target()]
		uid, err := j.c.newestTask(ctx, h, j.id())
		if err == nil && uid >= 0 {
			h.accounted[j.id()] = max(uid, h.accounted[j.id()])
			j.lastTask = max(j.lastTask, uid)
		}
		return err
	})
	if err != nil {
		return err
	}
	var nodes []topology.NodeIndex
	for _, leg := range j.sources {
		nodes = append(nodes, leg.Node)
	}
	return j.close(nodes)
}

// close asks the task keeper to drop the record.
func (j *repairJob) close(sources []topology.NodeIndex) error {
	done := make(chan bool, 1)
	j.c.tell(j.c.keeper, &rebuilt{
		key: j.rebuild.key, generation: j.rebuild.record.Generation, lastTask: j.lastTask, sources: sources, done: done,
	})
	select {
	case gone := <-done:
		if !gone {
			return errRecordChanged
		}
		return nil
	case <-j.ctx.Done():
		return context.Cause(j.ctx)
	}
}
