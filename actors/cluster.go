// Package actors is the engine room of Miroir: a supervisor, one actor per
// Meilisearch node, one sequencer per index, one task keeper, and a coordinator
// per request. It is also the door for programs that embed Miroir: Start a
// Cluster, in an actor system of your own if you like, and Read, Write, or send
// the same messages to its PID.
package actors

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// Options configure a Cluster. Nodes and Store are required; the zero value of
// everything else works.
type Options struct {
	// System is the actor system to live in; nil makes one.
	System *actor.ActorSystem
	// Name tells several clusters in one system apart; "miroir" when empty.
	Name string

	Nodes             []topology.Node
	ReplicationFactor int // 1 when zero
	Shards            int // of indexes created from now on; 64 when zero

	Store  store.Store
	Client nodeclient.Client // nil: HTTP with NodeKey
	// NodeKey is the bearer token for nodes.
	NodeKey string

	Logger     *logrus.Logger        // nil: silence
	Registerer prometheus.Registerer // nil: metrics are kept but not exported

	// UnavailableShards is what a read does about shards that no node can
	// serve: "partial" (the default) or "error".
	UnavailableShards string

	// MaxTasks is how many tasks are kept; when there are as many, the oldest tenth
	// is deleted. 1,000,000 when zero.
	MaxTasks      int
	PruneInterval time.Duration // between looks whether there are too many; 10 s

	SlotsPerNode     int           // read calls to one node at once; 64
	QueuePerNode     int           // reads that wait for a slot of one node; 512
	ReadTimeout      time.Duration // of one read, all attempts together; 30 s
	LegTimeout       time.Duration // of one node call of a read; 10 s
	WriteTimeout     time.Duration // until a write is answered; 30 s
	WriteCallTimeout time.Duration // of one write call to a node; 20 s
	ProbeInterval    time.Duration // between looks at a node in service; 2 s
	ProbeTimeout     time.Duration // of one look; 2 s
	// JournalLimit is how many bytes the journal may have on disk. Before it is
	// reached, the writes that nodes out of service have missed are given up, and
	// their copies are rebuilt; 2 GiB when zero.
	JournalLimit int64
	StartWait    time.Duration // how long Start waits for nodes to answer; 15 s

	// DumpDir and SnapshotDir hold Miroir's own part of dumps and snapshots;
	// without them there are none.
	DumpDir, SnapshotDir string
	// BackupHold is how long later writes wait for a node to begin its part of a
	// dump or snapshot; half of WriteTimeout when zero.
	BackupHold time.Duration
}

func (o *Options) fill() {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	if o.Name == "" {
		o.Name = "miroir"
	}
	if o.ReplicationFactor == 0 {
		o.ReplicationFactor = 1
	}
	if o.Shards == 0 {
		o.Shards = 64
	}
	if o.MaxTasks == 0 {
		o.MaxTasks = 1_000_000
	}
	def(&o.PruneInterval, 10*time.Second)
	if o.SlotsPerNode == 0 {
		o.SlotsPerNode = 64
	}
	if o.QueuePerNode == 0 {
		o.QueuePerNode = 512
	}
	if o.JournalLimit == 0 {
		o.JournalLimit = 2 << 30
	}
	def(&o.ReadTimeout, 30*time.Second)
	def(&o.LegTimeout, 10*time.Second)
	def(&o.WriteTimeout, 30*time.Second)
	def(&o.WriteCallTimeout, 20*time.Second)
	def(&o.ProbeInterval, 2*time.Second)
	def(&o.ProbeTimeout, 2*time.Second)
	def(&o.StartWait, 15*time.Second)
	def(&o.BackupHold, o.WriteTimeout/2)
}

// Cluster is a running Miroir. It is safe for concurrent use.
type Cluster struct {
	opts    Options
	log     *logrus.Logger
	sys     *actor.ActorSystem
	ownSys  bool
	store   store.Store
	client  nodeclient.Client
	fleet   *topology.Fleet    // all nodes that anything may lie on
	newest  *topology.Snapshot // the configured placement, for new indexes
	views   *views
	covers  coverCache
	nodes   []*nodeHandle
	metrics *metrics

	cut     cut
	backups sync.Map // by uid: *backup, until its task has ended

	registry *registry
	keys     keyring
	parsing  chan struct{} // taken while a large payload is looked at
	root     *actor.PID
	keeper   *actor.PID
	repairer *actor.PID
	door     *actor.PID
	rebuilds *rebuilds
	gone     goneIndexes
	moves    *moves

	ctx          context.Context //nolint:containedctx // ends when the cluster stops; requests carry their own
	cancel       context.CancelFunc
	background   sync.WaitGroup
	incarnations atomic.Int64
	featuresAt   atomic.Int64 // counts changes of experimental features
	queries      atomic.Uint64

	readProps, writeProps, swapProps *actor.Props
	early                            []any // what came for the task keeper before it had read the store; only it touches them
	retractions                      int   // commits of retractions under way; the task keeper's, survives its restarts

	probing  sync.WaitGroup // until every node was looked at once
	probedMu sync.Mutex
	probed   map[topology.NodeIndex]bool
	foreign  map[string]string // node id -> the cluster it belongs to
}

// Start checks the options against the store and the nodes, restores what was
// under way, and begins to serve. It waits up to StartWait for nodes to answer;
// nodes that do not are broken until they do.
//
// It refuses, saying what to do: an empty store in front of nodes that hold
// Miroir's data, nodes that belong to another Miroir, and a placement to which
// indexes could not be moved from where they lie.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	o.fill()
	if o.Store == nil {
		return nil, errors.New("start: a store is required")
	}
	if o.Shards < 1 || o.Shards > topology.MaxShards {
		return nil, fmt.Errorf("start: shards must be between 1 and %d, got %d", topology.MaxShards, o.Shards)
	}
	stored, err := o.Store.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the store: %w", err)
	}
	places, err := choosePlacements(ctx, &o, stored)
	if err != nil {
		return nil, err
	}
	figures, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	c := newCluster(o, places, figures)
	if err := c.restoreRegistry(stored); err != nil {
		return nil, err
	}
	if err := c.takePlaces(ctx, places); err != nil {
		return nil, err
	}
	if err := c.restoreGone(ctx); err != nil {
		return nil, err
	}
	for _, h := range c.nodes {
		r, _ := c.nodeRecord(ctx, h)
		h.lastTask.Store(r.LastTask)
		h.base, h.recorded = r.LastTask, r.LastTask
	}
	if err := c.spawnActors(); err != nil {
		return nil, err
	}
	err = c.firstLook(ctx)
	if err == nil {
		err = c.resumeOrders(ctx)
	}
	if err == nil {
		c.spawn("pruning of tasks", c.pruneTasks, nil)
	}
	if err != nil {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return nil, errors.Join(err, c.Stop(stopping))
	}
	if c.moves.active {
		c.startMoves()
	}
	return c, nil
}

func newCluster(o Options, places *placements, figures *metrics) *Cluster {
	c := &Cluster{
		opts: o, log: o.Logger, sys: o.System, store: o.Store, client: o.Client,
		fleet: places.fleet, newest: places.fleet.Newest(), metrics: figures,
		views: newViews(len(places.fleet.Nodes())), registry: newRegistry(places.fleet, places.of),
		probed: map[topology.NodeIndex]bool{}, foreign: map[string]string{}, rebuilds: newRebuilds(), moves: newMoves(places),
		parsing: make(chan struct{}, maxParsing),
	}
	if c.log == nil {
		c.log = logrus.New()
		c.log.SetOutput(io.Discard)
	}
	if c.sys == nil {
		c.sys, c.ownSys = newSystem(c.log), true
	}
	if c.client == nil {
		c.client = nodeclient.New(nodeclient.Options{Key: o.NodeKey})
	}
	c.featuresAt.Store(1)
	c.ctx, c.cancel = context.WithCancel(context.Background())
	for i, n := range c.fleet.Nodes() {
		h := &nodeHandle{index: i, node: n, newest: map[string]int64{}, accounted: map[string]int64{}, base: -1, recorded: -1}
		h.lastTask.Store(-1)
		c.nodes = append(c.nodes, h)
	}
	c.probing.Add(len(c.nodes))
	c.readProps = actor.PropsFromProducer(func() actor.Actor { return &readCoordinator{c: c} }, actor.WithGuardian(stopOnFailure))
	c.swapProps = actor.PropsFromProducer(func() actor.Actor { return &swapCoordinator{c: c} }, actor.WithGuardian(stopOnFailure))
	c.writeProps = actor.PropsFromProducer(func() actor.Actor { return &writeCoordinator{c: c} }, actor.WithGuardian(stopOnFailure))
	return c
}

// spawnActors starts the root, which starts the others.
func (c *Cluster) spawnActors() error {
	ready := make(chan error, 1)
	props := actor.PropsFromProducer(func() actor.Actor { return &rootActor{c: c, ready: ready} }, actor.WithSupervisor(restartForEver))
	if _, err := c.sys.Root.SpawnNamed(props, c.opts.Name); err != nil {
		return fmt.Errorf("start the supervisor %q: %w", c.opts.Name, err)
	}
	if err := <-ready; err != nil {
		return fmt.Errorf("start the actors: %w", err)
	}
	return nil
}

// firstLook waits until every node was looked at once, or StartWait is over.
func (c *Cluster) firstLook(ctx context.Context) error {
	all := make(chan struct{})
	go func() {
		c.probing.Wait()
		close(all)
	}()
	timer := time.NewTimer(c.opts.StartWait)
	defer timer.Stop()
	select {
	case <-all:
	case <-timer.C:
	case <-ctx.Done():
		c.releaseProbing()
		return fmt.Errorf("start: %w", context.Cause(ctx))
	}
	c.releaseProbing()
	c.probedMu.Lock()
	defer c.probedMu.Unlock()
	for _, h := range c.nodes {
		other, is := c.foreign[h.node.ID]
		switch {
		case !c.newest.Has(h.index): // it may have gone to somebody else
		case is && c.store.Fresh():
			return fmt.Errorf("node %s holds data of Miroir cluster %s, but the store is new: "+
				"use the data directory of that cluster or a backup of it, or empty the nodes", h.node.ID, other)
		case is:
			return fmt.Errorf("node %s belongs to Miroir cluster %s, but the store is of cluster %s: "+
				"use the data directory that goes with the nodes", h.node.ID, other, c.store.ClusterID())
		}
	}
	return nil
}

// probedOnce records that a node was looked at.
func (c *Cluster) probedOnce(h *nodeHandle) {
	c.probedMu.Lock()
	defer c.probedMu.Unlock()
	if !c.probed[h.index] {
		c.probed[h.index] = true
		c.probing.Done()
	}
}

// releaseProbing stops waiting for first looks.
func (c *Cluster) releaseProbing() {
	for _, h := range c.nodes {
		c.probedOnce(h)
	}
}

func (c *Cluster) foundForeign(h *nodeHandle, cluster string) {
	c.probedMu.Lock()
	defer c.probedMu.Unlock()
	c.foreign[h.node.ID] = cluster
}

// Stop ends the cluster: what is under way is answered, nothing new is taken.
// The store and an actor system that was handed in are left to their owner.
func (c *Cluster) Stop(ctx context.Context) error {
	c.cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if c.root != nil {
			_ = c.sys.Root.PoisonFuture(c.root).Wait() // a time-out shows below
		}
		c.background.Wait()
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = fmt.Errorf("stop: %w", context.Cause(ctx))
	}
	c.client.Close()
	if c.ownSys && err == nil {
		c.sys.Shutdown()
	}
	return err
}

// nextGroup is the group that the next read begins with, beyond the number of
// groups: reads take turns.
func (c *Cluster) nextGroup() int { return int(c.queries.Add(1) & math.MaxInt32) } //nolint:gosec // fits

// PID is the door for other actors: send it a message of messages/reads.go or
// messages/writes.go by Request and the reply comes back to the sender.
func (c *Cluster) PID() *actor.PID { return c.door }

// within is a context that ends with the cluster, or after d.
func (c *Cluster) within(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.ctx, d)
}

// oldestNodeMinor is the oldest version among the nodes that were heard of.
func (c *Cluster) oldestNodeMinor() int {
	var minors []int
	for _, h := range c.nodes {
		if v := h.version.Load(); v != nil {
			minors = append(minors, v.minor)
		}
	}
	if len(minors) == 0 {
		return splitAttributeRule
	}
	return slices.Min(minors)
}
