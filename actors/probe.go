package actors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/weaken"
)

// markerIndex is the small index on every node that says which Miroir the node
// belongs to.
const (
	markerIndex = "miroir-cluster"
	markerPath  = "/indexes/" + markerIndex + "/documents"
)

// replaceAdvice says what helps a node that has lost data which nobody else has.
const replaceAdvice = "other copies are not complete: give it back its data directory"

// Why a node must not be used.
var (
	errTooOld   = errors.New("its version is too old")
	errReplaced = errors.New("it has left the configuration, and its address belongs to another node")
	errReleased = errors.New(retiredReason)
)

// lostDataError says that a node came back empty, or with an older copy of its data.
type lostDataError struct {
	why     string
	claimed bool  // it still has the marker
	newest  int64 // its newest task, -1 for none
}

func (e *lostDataError) Error() string { return e.why }

// probe asks the node, in a goroutine, whether it is alive, ours and usable.
func (a *nodeActor) probe() {
	if a.probing || a.h.released.Load() {
		return
	}
	a.probing = true
	if !a.health.state.up() {
		a.health.state = stateProbing
		a.h.status.Store(&nodeStatus{stateProbing, a.health.since, a.health.reason})
	}
	c, h, self := a.c, a.h, a.self()
	res := &probed{incarnation: a.incarnation, newest: -1, sent: a.sent, err: errors.New("the probe ended without a result")}
	quiet := a.quiet()
	c.spawn("probe", func() {
		defer func() { c.tell(self, res) }()
		ctx, cancel := context.WithTimeout(c.ctx, c.opts.ProbeTimeout)
		defer cancel()
		res.version, res.foreign, res.err = c.examine(ctx, h)
		if res.err == nil && quiet {
			res.newest, res.err = c.newestTask(ctx, h, "")
		}
	}, nil)
}

// quiet reports whether nothing is to be sent to the node.
func (a *nodeActor) quiet() bool {
	return !a.resuming && !a.h.laneBusy && len(a.lane.queue) == 0 && len(a.lane.calls) == 0
}

// lookForGap compares the node's newest task, as a probe found it while nothing was
// sent, with the last one that we know of.
func (a *nodeActor) lookForGap(m *probed) error {
	known := a.h.lastTask.Load()
	switch {
	case m.newest < 0 || m.sent != a.sent || m.newest == known:
	case m.newest < known:
		return fmt.Errorf("its newest task is %d, but it has told of task %d", m.newest, known)
	case known >= 0:
		a.h.sawTask(m.newest)
		a.c.onGap(a.h, known+1, m.newest)
	}
	return nil
}

// onProbed moves the health by a probe's result and plans the next one.
func (a *nodeActor) onProbed(m *probed) {
	a.probing = false
	if m.version != nil {
		a.h.version.Store(m.version)
	}
	if m.err == nil {
		m.err = a.lookForGap(m)
	}
	if m.err != nil {
		if lost := (*lostDataError)(nil); errors.As(m.err, &lost) {
			a.reset(lost)
		}
		if m.foreign != "" {
			a.c.foundForeign(a.h, m.foreign)
		}
		wasUp := a.health.state.up()
		a.fail(m.err.Error())
		if !wasUp && a.h.probes.Add(1) == 1 {
			a.c.log.WithFields(logrus.Fields{"node": a.h.node.ID, "reason": m.err.Error()}).Warn("node does not answer yet")
		}
		a.c.probedOnce(a.h)
		return
	}
	if !a.health.state.up() {
		a.startService()
		a.h.unswept.Store(true)
		if weaken.Replay {
			a.forgetMissed()
		}
		a.follow.holdAgain(time.Now().Add(a.c.opts.BackupHold))
		a.health.recover(time.Now(), len(a.lane.queue) > 0 || a.follow.pending() > 0)
		a.publish()
		a.c.log.WithFields(logrus.Fields{"node": a.h.node.ID, "state": a.health.state.String()}).Info("node is in service")
	}
	a.c.probedOnce(a.h)
	a.c.sweep(a.h)
	a.advance()
	a.followSoon(0)
	a.probeIn(a.c.opts.ProbeInterval)
}

// reset has everything that the node should hold rebuilt. Not while a call is under
// way, which is looked for among its old tasks.
func (a *nodeActor) reset(lost *lostDataError) {
	if a.resuming || a.resetting || a.h.laneBusy {
		return // the next probe comes back to it
	}
	a.resetting = true
	a.c.tell(a.c.keeper, &resetNode{
		node: a.h.index, reason: lost.why, claimed: lost.claimed, lastTask: lost.newest, replyTo: a.self(),
	})
}

// onReset forgets what the node was to do before it lost its data.
func (a *nodeActor) onReset(m *nodeReset) {
	a.resetting = false
	if m.err != nil {
		why := m.reason + "; " + m.err.Error()
		if errors.Is(m.err, errNoOtherCopy) {
			why = m.reason + "; " + replaceAdvice
		}
		a.health.reason = why
		a.publish()
		return
	}
	a.c.log.WithFields(logrus.Fields{"node": a.h.node.ID, "reason": m.reason}).Warn("what the node holds is rebuilt from other copies")
	for id, lsn := range m.newest {
		a.h.newest[id] = max(a.h.newest[id], lsn)
	}
	gone := func(d *delivery) bool { return d.entry.row.LSN <= m.newest[d.entry.row.IndexID] }
	for _, d := range a.lane.queue {
		if gone(d) {
			a.reportMissed(d)
		}
	}
	a.lane.queue = slices.DeleteFunc(a.lane.queue, gone)
	a.h.behind.Store(int64(len(a.lane.queue)))
	a.follow = follower{asking: a.follow.asking, planned: a.follow.planned}
	a.h.accounted, a.h.base = map[string]int64{}, m.lastTask
	a.h.lastTask.Store(m.lastTask)
	a.probe()
}

// examine is the probe itself: alive, new enough, ours.
func (c *Cluster) examine(ctx context.Context, h *nodeHandle) (*nodeVersion, string, error) {
	if h.node.Address == "" {
		return nil, "", errReplaced
	}
	if _, err := c.ask(ctx, h, &nodeclient.Request{Method: http.MethodGet, Path: "/health", Idempotent: true}); err != nil {
		return nil, "", err
	}
	version := h.version.Load()
	returning := !h.status.Load().state.up()
	if returning || version == nil {
		v, err := c.askVersion(ctx, h)
		if err != nil {
			return nil, "", err
		}
		version = v
	}
	foreign, err := c.checkMarker(ctx, h)
	if err == nil && returning {
		err = c.checkNotOlder(ctx, h)
		h.unequip()
	}
	if err == nil {
		err = c.equip(ctx, h)
	}
	return version, foreign, err
}

// checkNotOlder refuses a node whose tasks end before the last one that it has
// told us of: it was put back to an older copy of its data.
func (c *Cluster) checkNotOlder(ctx context.Context, h *nodeHandle) error {
	known := h.lastTask.Load()
	if known < 0 {
		return nil
	}
	newest, err := c.newestTask(ctx, h, "")
	if err != nil {
		return err
	}
	if newest < known {
		why := fmt.Sprintf("its newest task is %d, but it has told of task %d: it has an older copy of its data", newest, known)
		return &lostDataError{why: why, claimed: true, newest: newest}
	}
	return nil
}

func (c *Cluster) askVersion(ctx context.Context, h *nodeHandle) (*nodeVersion, error) {
	resp, err := c.ask(ctx, h, &nodeclient.Request{Method: http.MethodGet, Path: "/version", Idempotent: true})
	if err != nil {
		return nil, err
	}
	v := &nodeVersion{}
	if err := json.Unmarshal(resp.Body, v); err != nil {
		return nil, fmt.Errorf("read its version: %w", err)
	}
	major, rest, _ := strings.Cut(v.PkgVersion, ".")
	minor, _, _ := strings.Cut(rest, ".")
	switch v.minor, err = strconv.Atoi(minor); {
	case err != nil:
		return nil, fmt.Errorf("read its version %q: %w", v.PkgVersion, err)
	case major != "1":
		v.minor = 1 << 20
	case v.minor < oldestMinor:
		return nil, fmt.Errorf("%w: %s, Miroir needs 1.%d or later", errTooOld, v.PkgVersion, oldestMinor)
	}
	return v, nil
}

// marker is the one document of the marker index.
type marker struct {
	ID        string `json:"id"`
	ClusterID string `json:"clusterId"`
}

// checkMarker makes sure that the node belongs to this Miroir, and claims it
// when it belongs to nobody.
func (c *Cluster) checkMarker(ctx context.Context, h *nodeHandle) (foreign string, err error) {
	resp, err := c.client.Do(ctx, h.node.Address, &nodeclient.Request{Method: http.MethodGet, Path: markerPath + "/cluster", Idempotent: true})
	switch {
	case err != nil:
		return "", err
	case resp.Status == http.StatusOK:
		var m marker
		if err := json.Unmarshal(resp.Body, &m); err != nil {
			return "", fmt.Errorf("read its marker: %w", err)
		}
		if m.ClusterID != c.store.ClusterID() {
			return m.ClusterID, fmt.Errorf("it belongs to another Miroir (cluster %s, this one is %s)", m.ClusterID, c.store.ClusterID())
		}
		return "", c.welcome(h, true)
	case resp.Status != http.StatusNotFound:
		return "", answerError(resp)
	}
	if h.released.Load() {
		return "", errReleased
	}
	if c.claimed(ctx, h) {
		newest, err := c.newestTask(ctx, h, "")
		if err == nil {
			err = &lostDataError{why: "it came back without its data", newest: newest}
		}
		return "", err
	}
	return "", c.welcome(h, false)
}

// claimTimeout bounds the wait for a node's first task, which makes its first
// index and takes long on a busy machine.
const claimTimeout = 30 * time.Second

// nodeRecord is what the store remembers of a node.
type nodeRecord struct {
	Claimed  bool  `json:"claimed"`
	LastTask int64 `json:"lastTask"`
}

func nodeKey(id string) string { return "node/" + id }

func (c *Cluster) nodeRecord(ctx context.Context, h *nodeHandle) (r nodeRecord, found bool) {
	raw, err := c.store.Value(ctx, nodeKey(h.node.ID))
	if err != nil || json.Unmarshal(raw, &r) != nil {
		return nodeRecord{LastTask: -1}, false
	}
	return r, true
}

func (c *Cluster) claimed(ctx context.Context, h *nodeHandle) bool {
	r, found := c.nodeRecord(ctx, h)
	return found && r.Claimed
}

// welcome makes a node ours for good. One that the store does not know may have been
// ours at a former time: what it has of then is stale and goes first.
func (c *Cluster) welcome(h *nodeHandle, marked bool) error {
	ctx, cancel := c.within(claimTimeout)
	defer cancel()
	if h.claimed.Load() || c.claimed(ctx, h) {
		h.claimed.Store(true)
		return nil
	}
	if err := c.purge(ctx, h, marked); err != nil {
		return fmt.Errorf("remove what it has of a former time: %w", err)
	}
	if !marked {
		if err := c.claim(ctx, h); err != nil {
			return err
		}
	}
	if err := c.commitNode(ctx, h); err != nil {
		return err
	}
	h.claimed.Store(true)
	return nil
}

// purge deletes indexes of ours from a node that is not in service: those that there
// are and, where it bears our mark, those that there were.
func (c *Cluster) purge(ctx context.Context, h *nodeHandle, marked bool) error {
	for {
		resp, err := c.ask(ctx, h, &nodeclient.Request{Method: http.MethodGet, Path: "/indexes?limit=10000", Idempotent: true})
		if err != nil {
			return err
		}
		var page struct{ Results []struct{ UID string } }
		if err := json.Unmarshal(resp.Body, &page); err != nil {
			return fmt.Errorf("read its indexes: %w", err)
		}
		stale := 0
		for _, x := range page.Results {
			if _, known := c.registry.row(x.UID); !known && !(marked && strings.HasPrefix(x.UID, indexIDPrefix)) {
				continue
			}
			stale++
			c.log.WithFields(logrus.Fields{"node": h.node.ID, "index": x.UID}).Warn("a node that is new here has an index of a former time; it is removed")
			resp, err := c.ask(ctx, h, &nodeclient.Request{Method: http.MethodDelete, Path: "/indexes/" + x.UID})
			if err != nil {
				return err
			}
			if _, err := c.endOfTask(ctx, h, resp); err != nil {
				return err
			}
		}
		if stale == 0 {
			break
		}
	}
	newest, err := c.newestTask(ctx, h, "")
	if err != nil {
		return err
	}
	// No write has gone there yet, so that none of its tasks is one of ours.
	h.base = max(h.base, newest)
	h.sawTask(newest)
	return nil
}

// endOfTask waits for the task that a node has answered with.
func (c *Cluster) endOfTask(ctx context.Context, h *nodeHandle, resp *nodeclient.Response) (*nodeTask, error) {
	uid, err := taskUID(resp)
	if err != nil {
		return nil, err
	}
	for {
		t, err := c.nodeTask(ctx, h, uid)
		if err != nil || t.finished() {
			return t, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for task %d: %w", uid, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// claim writes the marker and waits until the node has it.
func (c *Cluster) claim(ctx context.Context, h *nodeHandle) error {
	doc, err := json.Marshal([]marker{{ID: "cluster", ClusterID: c.store.ClusterID()}})
	if err != nil {
		return fmt.Errorf("write its marker: %w", err)
	}
	resp, err := c.ask(ctx, h, &nodeclient.Request{
		Method: http.MethodPost, Path: markerPath + "?primaryKey=id", ContentType: "application/json", Body: doc,
	})
	if err != nil {
		return err
	}
	t, err := c.endOfTask(ctx, h, resp)
	switch {
	case err != nil:
		return fmt.Errorf("write its marker: %w", err)
	case t.Status != "succeeded":
		return fmt.Errorf("write its marker: %s", t.Error)
	}
	h.sawTask(t.UID)
	return nil
}
