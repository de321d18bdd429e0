package actors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/store"
)

// chatsKey is where the workspaces of chats are stored.
const chatsKey = "chats"

// Chats are the workspaces of chats by uid.
func (c *Cluster) Chats(ctx context.Context) (map[string]*api.ChatWorkspace, error) {
	raw, err := c.store.Value(ctx, chatsKey)
	all := map[string]*api.ChatWorkspace{}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return all, nil
	case err != nil:
		return nil, fmt.Errorf("read the chats: %w", err)
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, fmt.Errorf("read the chats: %w", err)
	}
	return all, nil
}

// SetChats replaces all workspaces.
func (c *Cluster) SetChats(ctx context.Context, all map[string]*api.ChatWorkspace) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := c.store.Commit(ctx, &store.Batch{Values: map[string]json.RawMessage{chatsKey: mustJSON(all)}}); err != nil {
		return storeUnavailable(err)
	}
	return nil
}
