package actors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/miroir-search/miroir/store"
)

// A node's tasks are all ours, one after the other. A gap in their uids means that
// somebody else writes there, or that a call of ours arrived long after it was given
// up: what those tasks touch is compared with other copies, and an index that is gone
// is removed.

// errTasksGoBack says that a node's tasks have begun anew.
var errTasksGoBack = errors.New("its task numbers went back, so it has lost data")

// checkGap compares the uid of a new task of a node with the one before it. It fails
// when the node has lost its tasks.
func (c *Cluster) checkGap(h *nodeHandle, uid int64) error {
	last := h.lastTask.Load()
	switch {
	case last < 0 || uid == last+1:
		return nil
	case uid <= last:
		return fmt.Errorf("%w: task %d came after task %d", errTasksGoBack, uid, last)
	}
	c.onGap(h, last+1, uid-1)
	return nil
}

// maxGap is how many tasks of a gap are looked at; of a wider one everything is.
const maxGap = 1000

// onGap has compared what the tasks of a gap, first and last included, touch.
func (c *Cluster) onGap(h *nodeHandle, first, last int64) {
	c.metrics.taskGaps.WithLabelValues(h.node.ID).Inc()
	c.log.WithField("node", h.node.ID).Warnf("it has %s: somebody else writes there, or a write arrived late", notOurs(first, last))
	h.unswept.Store(true)
	c.spawn("gap", func() {
		ctx, cancel := c.within(c.opts.WriteCallTimeout)
		defer cancel()
		touched, err := c.gapTouches(ctx, h, first, last)
		if err != nil {
			c.log.WithError(err).WithField("node", h.node.ID).Warn("cannot tell what those tasks did; everything is compared")
			touched = func(string) bool { return true }
		}
		for _, row := range c.registry.all() {
			if !row.Deleted && touched(row.ID) {
				c.needRebuild(h.index, row.ID, c.registry.tableOf(row.ID, row.Shards).Held(h.index), "it has "+notOurs(first, last))
			}
		}
	}, nil)
}

// gapTouches tells which indexes the tasks of a gap may have changed.
func (c *Cluster) gapTouches(ctx context.Context, h *nodeHandle, first, last int64) (func(indexID string) bool, error) {
	count := last - first + 1
	if count > maxGap {
		return nil, fmt.Errorf("there are %d of them", count)
	}
	var page struct {
		Results []struct {
			UID      int64
			IndexUID *string
			Details  json.RawMessage
		}
	}
	if err := c.read(ctx, h, fmt.Sprintf("/tasks?from=%d&limit=%d", last, count), &page); err != nil {
		return nil, err
	}
	var text strings.Builder
	for _, t := range page.Results {
		if t.UID < first || t.UID > last {
			continue
		}
		count--
		if t.IndexUID != nil {
			text.WriteString(*t.IndexUID + " ")
		}
		text.Write(t.Details) // a swap names its indexes there
	}
	if count > 0 {
		return nil, fmt.Errorf("%d of them are gone", count)
	}
	return func(indexID string) bool { return strings.Contains(text.String(), indexID) }, nil
}

// all lists the rows of all indexes.
func (r *registry) all() []*store.Index {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*store.Index, 0, len(r.rows))
	for _, row := range r.rows {
		out = append(out, row)
	}
	return out
}

// notOurs names tasks of a node that Miroir did not make.
func notOurs(first, last int64) string {
	if first == last {
		return fmt.Sprintf("a task that is not ours, %d", first)
	}
	return fmt.Sprintf("tasks that are not ours, %d to %d", first, last)
}
