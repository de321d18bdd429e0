package actors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
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

// replaceAdvice says what helps a node that has lost data.
const replaceAdvice = "give it back its data directory and start Miroir again"

// Why a probe refuses a node that answers.
var (
	errEmptied = errors.New("it came back without its data; " + replaceAdvice)
	errTooOld  = errors.New("its version is too old")
)

// probe asks the node, in a goroutine, whether it is alive, ours and usable.
func (a *nodeActor) probe() {
	if a.probing {
		return
	}
	a.probing = true
	if !a.health.state.up() {
		a.health.state = stateProbing
		a.h.status.Store(&nodeStatus{stateProbing, a.health.since, a.health.reason})
	}
	c, h, self := a.c, a.h, a.self()
	res := &probed{incarnation: a.incarnation, err: errors.New("the probe ended without a result")}
	c.spawn("probe", func() {
		defer func() { c.tell(self, res) }()
		ctx, cancel := context.WithTimeout(c.ctx, c.opts.ProbeTimeout)
		defer cancel()
		res.version, res.foreign, res.err = c.examine(ctx, h)
	}, nil)
}

// onProbed moves the health by a probe's result and plans the next one.
func (a *nodeActor) onProbed(m *probed) {
	a.probing = false
	if m.version != nil {
		a.h.version.Store(m.version)
	}
	if m.err != nil {
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
		if weaken.Replay {
			a.forgetMissed()
		}
		a.health.recover(time.Now(), len(a.lane.queue) > 0 || a.follow.pending() > 0)
		a.publish()
		a.c.log.WithFields(logrus.Fields{"node": a.h.node.ID, "state": a.health.state.String()}).Info("node is in service")
	}
	a.c.probedOnce(a.h)
	a.advance()
	a.followSoon(0)
	a.probeIn(a.c.opts.ProbeInterval)
}

// examine is the probe itself: alive, new enough, ours.
func (c *Cluster) examine(ctx context.Context, h *nodeHandle) (*nodeVersion, string, error) {
	if _, err := c.ask(ctx, h, &nodeclient.Request{Method: http.MethodGet, Path: "/health", Idempotent: true}); err != nil {
		return nil, "", err
	}
	if why := h.unfit.Load(); why != nil {
		return nil, "", errors.New(*why)
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
		return fmt.Errorf("its newest task is %d, but it has told of task %d: it has an older copy of its data; %s", newest, known, replaceAdvice)
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
		return "", c.remember(ctx, h)
	case resp.Status != http.StatusNotFound:
		return "", answerError(resp)
	}
	if c.claimed(ctx, h) {
		return "", errEmptied
	}
	claiming, cancel := c.within(claimTimeout)
	defer cancel()
	return "", c.claim(claiming, h)
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
	uid, err := taskUID(resp)
	if err != nil {
		return err
	}
	for {
		t, err := c.nodeTask(ctx, h, uid)
		if err != nil {
			return err
		}
		if t.finished() {
			if t.Status != "succeeded" {
				return fmt.Errorf("write its marker: %s", t.Error)
			}
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("write its marker: %w", ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
	h.sawTask(uid)
	return c.remember(ctx, h)
}

// remember records once that the node is ours.
func (c *Cluster) remember(ctx context.Context, h *nodeHandle) error {
	if h.claimed.Load() || c.claimed(ctx, h) {
		h.claimed.Store(true)
		return nil
	}
	if err := c.commitNode(ctx, h); err != nil {
		return err
	}
	h.claimed.Store(true)
	return nil
}
