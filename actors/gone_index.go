package actors

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/store"
)

// A write may reach a node long after Miroir has looked for it, not found it and gone
// on: a frozen node reads an old request when it wakes. If its index is deleted by
// then, the write makes it anew, and no later call would touch it. So deleted indexes
// are remembered for a while, and nodes that have one lose it. An index that Miroir
// does not remember is left alone: it may be all that is left of something.

const (
	gonePrefix = "gone/"
	goneFor    = 24 * time.Hour // how late a write may be
)

func goneKey(indexID string) string { return gonePrefix + indexID }

// goneIndexes are the internal ids of indexes that were deleted everywhere.
type goneIndexes struct {
	mu    sync.Mutex
	known map[string]struct{} // made by restoreGone
	order []goneIndex         // by time
}

type goneIndex struct {
	id string
	at time.Time
}

// add remembers an index, and says so to b, which also forgets what is too old.
func (g *goneIndexes) add(id string, now time.Time, b *store.Batch) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.known[id] = struct{}{}
	g.order = append(g.order, goneIndex{id, now})
	b.Values[goneKey(id)] = mustJSON(now)
	for len(g.order) > 0 && now.Sub(g.order[0].at) > goneFor {
		delete(g.known, g.order[0].id)
		b.Values[goneKey(g.order[0].id)] = nil
		g.order = g.order[1:]
	}
}

func (g *goneIndexes) has(id string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, has := g.known[id]
	return has
}

func (g *goneIndexes) empty() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.known) == 0
}

// restoreGone reads which indexes were deleted lately.
func (c *Cluster) restoreGone(ctx context.Context) error {
	values, err := c.store.Values(ctx, gonePrefix)
	if err != nil {
		return fmt.Errorf("read which indexes are gone: %w", err)
	}
	g := &c.gone
	g.mu.Lock()
	defer g.mu.Unlock()
	g.known = map[string]struct{}{}
	for key, raw := range values {
		x := goneIndex{id: strings.TrimPrefix(key, gonePrefix), at: time.Now()}
		if err := json.Unmarshal(raw, &x.at); err != nil {
			return fmt.Errorf("read when index %s was deleted: %w", x.id, err)
		}
		g.known[x.id] = struct{}{}
		g.order = append(g.order, x)
	}
	slices.SortFunc(g.order, func(a, b goneIndex) int { return a.at.Compare(b.at) })
	return nil
}

// sweep removes deleted indexes that a node has. It asks again at a later probe if it
// cannot do it now.
func (c *Cluster) sweep(h *nodeHandle) {
	if c.gone.empty() || !h.unswept.CompareAndSwap(true, false) {
		return
	}
	c.spawn("sweep", func() {
		ctx, cancel := c.within(maxTurn * c.opts.WriteCallTimeout)
		defer cancel()
		if err := c.removeGone(ctx, h); err != nil {
			h.unswept.Store(true)
		}
	}, nil)
}

func (c *Cluster) removeGone(ctx context.Context, h *nodeHandle) error {
	ids, err := c.idsOn(ctx, h)
	if err != nil {
		return err
	}
	for id := range ids {
		if !c.gone.has(id) {
			continue
		}
		c.log.WithFields(logrus.Fields{"node": h.node.ID, "index": id}).Warn("the node has an index that was deleted: a write arrived late; it is removed")
		ended := make(chan laneCallEnd, 1)
		c.tell(h.pid, &laneCall{indexID: id, ended: ended, run: func(_ context.Context, _ *laneCall, send sender) error {
			_, err := send(&nodeclient.Request{Method: http.MethodDelete, Path: "/indexes/" + id})
			return err
		}})
		select {
		case end := <-ended:
			if end.err != nil {
				return end.err
			}
			if err := c.removed(ctx, h, end.tasks); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// removed waits until a node has carried out deletions of indexes.
func (c *Cluster) removed(ctx context.Context, h *nodeHandle, uids []int64) error {
	for round := 0; ; round++ {
		tasks, err := c.listTasks(h, uids)
		if err != nil {
			return err
		}
		open := false
		for _, t := range tasks {
			if t.Status == "failed" && errorCode(t.Error) != "index_not_found" {
				return fmt.Errorf("remove an index that was deleted: %s", t.Error)
			}
			open = open || !t.finished()
		}
		if !open {
			return nil
		}
		select {
		case <-time.After(nodeWaits(round)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// idsOn lists the indexes of ours that a node has, or will have when it has done what
// it has taken.
func (c *Cluster) idsOn(ctx context.Context, h *nodeHandle) (map[string]struct{}, error) {
	const page = 1000
	ids := map[string]struct{}{}
	add := func(id string) {
		if strings.HasPrefix(id, indexIDPrefix) {
			ids[id] = struct{}{}
		}
	}
	var tasks struct{ Results []struct{ IndexUID string } }
	if err := c.read(ctx, h, fmt.Sprintf("/tasks?statuses=enqueued,processing&limit=%d", page), &tasks); err != nil {
		return nil, err
	}
	for _, t := range tasks.Results {
		add(t.IndexUID)
	}
	for offset := 0; ; offset += page {
		var indexes struct{ Results []struct{ UID string } }
		if err := c.read(ctx, h, fmt.Sprintf("/indexes?offset=%d&limit=%d", offset, page), &indexes); err != nil {
			return nil, err
		}
		for _, x := range indexes.Results {
			add(x.UID)
		}
		if len(indexes.Results) < page {
			return ids, nil
		}
	}
}

// read asks a node for something and decodes the answer.
func (c *Cluster) read(ctx context.Context, h *nodeHandle, path string, into any) error {
	resp, err := c.ask(ctx, h, &nodeclient.Request{Method: http.MethodGet, Path: path, Idempotent: true})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(resp.Body, into); err != nil {
		return fmt.Errorf("read the answer to %s: %w", path, err)
	}
	return nil
}
