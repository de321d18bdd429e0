package embedded

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/auth"
	"github.com/miroir-search/miroir/coding"
	"github.com/miroir-search/miroir/embedded/engine"
)

// index is one index. Everything in it but the engine is replaced, never changed, under core.mu.
type index struct {
	id               uint64 // names its documents in the store; never reused
	uid              string
	primaryKey       string // empty until it is known
	created, updated time.Time
	settings         *api.Settings
	engine           *engine.Index
	slots            *slots
}

// core is the state of a running node.
type core struct {
	opt    Options
	now    func() time.Time
	legacy bool // an old version is imitated
	routes []route
	store  *store // nil in memory
	faults *Faults

	compressor coding.Compressor
	outside    outside
	logs       logStream
	notifying  sync.WaitGroup
	// remembering orders the writers of what is kept beside the indexes; it is taken before mu.
	remembering sync.Mutex

	mu        sync.RWMutex
	indexes   map[string]*index
	nextIndex uint64
	records   map[uint32]*record
	order     []uint32 // uids of records, ascending
	queue     []uint32 // those that are not finished, ascending
	nextTask  uint32
	nextBatch uint32
	working   []uint32 // tasks being worked on
	paused    bool
	stopping  bool
	keys      *auth.Ring // replaced, never changed
	features  map[string]bool
	webhooks  map[string]*api.Webhook // by uuid; replaced, never changed
	chats     map[string]*api.ChatWorkspace
	network   network
	stats     statsClock
	changed   chan struct{} // closed and replaced whenever the queue gets shorter

	wake chan struct{}
	done chan struct{}
	quit chan struct{}
}

type statsClock struct{ lastUpdate time.Time }

func openCore(o Options, now func() time.Time, faults *Faults) (*core, error) {
	c := &core{
		opt: o, now: now, faults: faults, routes: buildRoutes(), legacy: olderThan(o.Version, 1, 40),
		indexes: make(map[string]*index), records: make(map[uint32]*record), keys: auth.NewRing(o.MasterKey, nil),
		features: make(map[string]bool), changed: make(chan struct{}), wake: make(chan struct{}, 1),
	}
	c.compressor.Vary = vary()
	if o.Dir != "" {
		if err := importSnapshot(o.ImportSnapshot, o.Dir); err != nil {
			return nil, fmt.Errorf("import snapshot: %w", err)
		}
		s, err := openStore(o.Dir)
		if err != nil {
			return nil, err
		}
		c.store = s
		if err := c.load(); err != nil {
			s.close()
			return nil, err
		}
	}
	if o.ImportDump != "" && len(c.indexes) == 0 && c.nextTask == 0 {
		if err := c.importDump(o.ImportDump); err != nil {
			c.close()
			return nil, err
		}
	}
	if len(c.keys.Keys()) == 0 && o.MasterKey != "" {
		if err := c.createDefaultKeys(); err != nil {
			c.close()
			return nil, err
		}
	}
	return c, nil
}

func olderThan(version string, major, minor int) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	a, errA := strconv.Atoi(parts[0])
	b, errB := strconv.Atoi(parts[1])
	return errA == nil && errB == nil && (a < major || a == major && b < minor)
}

// start begins to work on tasks.
func (c *core) start() {
	c.mu.Lock()
	c.paused, c.stopping = false, false
	c.quit, c.done = make(chan struct{}), make(chan struct{})
	c.outside = newOutside()
	o := c.outside
	c.notifying.Go(func() { c.tell(o) })
	quit, done := c.quit, c.done // the loop may begin after a stop and another start
	c.mu.Unlock()
	if c.store != nil {
		c.store.start()
	}
	go c.work(quit, done)
	c.poke()
}

// quitting is closed when this run of the node ends; a node in memory has the same core in the next one.
func (c *core) quitting() <-chan struct{} {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.quit
}

// stop ends the work on tasks; the one being worked on is finished.
func (c *core) stop() {
	c.mu.Lock()
	c.stopping = true
	quit, done := c.quit, c.done
	c.mu.Unlock()
	if quit == nil {
		return
	}
	c.outside.cancel()
	close(quit)
	<-done
	c.notifying.Wait()
	c.outside.close()
	if c.store != nil {
		c.store.stop()
	}
}

func (c *core) close() {
	if c.store != nil {
		c.store.close()
	}
}

func (c *core) poke() {
	select {
	case c.wake <- struct{}{}:
	default: // it will look anyway
	}
}

func (c *core) pause(on bool) {
	c.mu.Lock()
	c.paused = on
	c.mu.Unlock()
	c.poke()
}

// idle waits until the queue is empty.
func (c *core) idle(ctx context.Context) error {
	for {
		c.mu.RLock()
		changed, busy := c.changed, len(c.queue) > 0
		c.mu.RUnlock()
		if !busy {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// lookup returns an index by its uid.
func (c *core) lookup(uid string) (*index, *api.Error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if x, ok := c.indexes[uid]; ok {
		return x, nil
	}
	return nil, api.IndexNotFound(uid)
}

// indexOf returns the index of the request's path.
func (r *request) indexOf() (*index, *api.Error) {
	uid, err := r.index()
	if err != nil {
		return nil, err
	}
	return r.core.lookup(uid)
}

// uids lists the indexes a caller may see, in order.
func (c *core) uids(a access) []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := make([]string, 0, len(c.indexes))
	for uid := range c.indexes {
		if a.allows(uid) {
			out = append(out, uid)
		}
	}
	slices.Sort(out)
	return out
}
