package actors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/miroir-search/miroir/store"
)

// featuresKey is where the experimental features that clients have turned on are
// stored.
const featuresKey = "features"

// Features tells which experimental features are on.
func (c *Cluster) Features(ctx context.Context) (map[string]bool, error) {
	raw, err := c.store.Value(ctx, featuresKey)
	on := map[string]bool{}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return on, nil
	case err != nil:
		return nil, fmt.Errorf("read the features: %w", err)
	}
	if err := json.Unmarshal(raw, &on); err != nil {
		return nil, fmt.Errorf("read the features: %w", err)
	}
	return on, nil
}

// SetFeatures turns experimental features on and off, and tells the nodes in service
// of those that they need. Others learn of them before they are in service again.
func (c *Cluster) SetFeatures(ctx context.Context, on map[string]bool) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := c.store.Commit(ctx, &store.Batch{Values: map[string]json.RawMessage{featuresKey: mustJSON(on)}}); err != nil {
		return storeUnavailable(err)
	}
	c.featuresAt.Add(1)
	view := c.views.load()
	var told sync.WaitGroup
	for n, h := range c.nodes {
		if !view.states[n].up() {
			continue
		}
		told.Add(1)
		c.spawn("features of a node", func() {
			defer told.Done()
			if err := c.equip(ctx, h); err != nil {
				c.log.WithError(err).WithField("node", h.node.ID).Warn("a node was not told of experimental features; it will be asked again")
			}
		}, nil)
	}
	told.Wait()
	return nil
}

// nodeFeatures are the experimental features that nodes need for what clients have
// turned on. What else Miroir offers it does by itself, or asks for when it is used.
var nodeFeatures = []string{"containsFilter"}

// unequip has a node told again of all that it needs: it may be another one now.
func (h *nodeHandle) unequip() {
	h.equipping.Lock()
	defer h.equipping.Unlock()
	h.equipped = 0
}

// equip brings the experimental features of a node to what clients want, once after
// each change and each time that it comes into service. Those that no client has set
// stay as they are. A node that is too old for one works without it.
func (c *Cluster) equip(ctx context.Context, h *nodeHandle) error {
	h.equipping.Lock()
	defer h.equipping.Unlock()
	at := c.featuresAt.Load()
	if h.equipped == at {
		return nil
	}
	on, err := c.Features(ctx)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, name := range nodeFeatures {
		if value, set := on[name]; set {
			wanted[name] = value
		}
	}
	if len(wanted) > 0 {
		req := jsonCall(http.MethodPatch, "/experimental-features", mustJSON(wanted))
		req.Idempotent = true
		_, err := c.ask(ctx, h, req)
		var refused *nodeAnswerError
		switch {
		case errors.As(err, &refused) && refused.Status == http.StatusBadRequest:
			c.log.WithError(err).WithField("node", h.node.ID).Warn("a node is too old for an experimental feature that is on")
		case err != nil:
			return err
		}
	}
	h.equipped = at
	return nil
}
