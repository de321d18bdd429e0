package http

import (
	"context"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/store"
)

// Door is what stands behind the handlers. *actors.Cluster is one. It is safe
// for concurrent use and answers before its own deadline or the context's.
type Door interface {
	// Read takes *messages.Search, FacetSearch, Similar, GetDocument, BrowseDocuments, GetIndexStats
	// and GetStats.
	Read(ctx context.Context, msg any) *messages.Answer
	// Write takes every struct of messages that changes something.
	Write(ctx context.Context, msg any) *messages.TaskAccepted

	// NewPayload takes a payload of documents that is too large for memory. Once
	// it is finished it goes with messages.AddDocuments, or nowhere.
	NewPayload() store.Stream

	// Index finds an index; Indexes lists them by ascending uid.
	Index(uid string) (*messages.Index, bool)
	Indexes() []*messages.Index

	// Task returns store.ErrNotFound for an unknown uid.
	Task(ctx context.Context, uid int64) (*store.Task, error)
	Tasks(ctx context.Context, q *store.TaskQuery) (*store.TaskPage, error)
	TaskParts(ctx context.Context, uid int64) ([]messages.TaskPart, error)

	// Features tells which experimental features are on; SetFeatures turns on
	// exactly those.
	Features(ctx context.Context) (map[string]bool, error)
	SetFeatures(ctx context.Context, on map[string]bool) error
	// Chats are the workspaces of chats by uid; SetChats replaces all of them.
	Chats(ctx context.Context) (map[string]*api.ChatWorkspace, error)
	SetChats(ctx context.Context, all map[string]*api.ChatWorkspace) error

	Topology() *messages.Topology
	Shards() *messages.Shards
	// Ready is nil when every shard has a readable copy and the store can write.
	Ready() error
	// BackUpStore copies the store into a directory that must not exist yet.
	BackUpStore(ctx context.Context, dir string) error
	// NodesVersion is what GET /version reports.
	NodesVersion() (pkgVersion, commitSha, commitDate string)
}

// Webhooks are those who hear about ended tasks. *webhooks.Hooks is one.
type Webhooks interface {
	// All gives every webhook by uuid, with that of the operator.
	All() map[string]*api.Webhook
	// Change puts what next gives in the place of a webhook; nil takes it away. next
	// gets what is there, nil for nothing, and how many webhooks clients have defined.
	Change(ctx context.Context, id string, next func(old *api.Webhook, defined int) (*api.Webhook, error)) (*api.Webhook, error)
}

// NodeSwitch stops and starts the nodes of a development fleet, so that losing
// one can be tried out.
type NodeSwitch interface {
	// StopNode and StartNode report whether the node exists.
	StopNode(id string) (known bool, err error)
	StartNode(id string) (known bool, err error)
}
