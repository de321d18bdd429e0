package http

import (
	"strings"

	"github.com/miroir-search/miroir/api"
)

// Action is what a token needs to be allowed, in Meilisearch's names.
type Action string

// The actions of the routes. ActionPublic needs no token, ActionAdmin is
// Miroir's own and covers /_miroir/* and /admin/*.
const (
	ActionPublic          Action = ""
	ActionAdmin           Action = "miroir.admin"
	ActionSearch          Action = "search"
	ActionDocumentsAdd    Action = "documents.add"
	ActionDocumentsGet    Action = "documents.get"
	ActionDocumentsDelete Action = "documents.delete"
	ActionDocumentsAll    Action = "documents.*"
	ActionIndexesCreate   Action = "indexes.create"
	ActionIndexesGet      Action = "indexes.get"
	ActionIndexesUpdate   Action = "indexes.update"
	ActionIndexesDelete   Action = "indexes.delete"
	ActionIndexesSwap     Action = "indexes.swap"
	ActionIndexesCompact  Action = "indexes.compact"
	ActionTasksGet        Action = "tasks.get"
	ActionTasksCancel     Action = "tasks.cancel"
	ActionTasksDelete     Action = "tasks.delete"
	ActionTasksCompact    Action = "tasks.compact"
	ActionSettingsGet     Action = "settings.get"
	ActionSettingsUpdate  Action = "settings.update"
	ActionStatsGet        Action = "stats.get"
	ActionMetricsGet      Action = "metrics.get"
	ActionDumpsCreate     Action = "dumps.create"
	ActionSnapshots       Action = "snapshots.create"
	ActionVersion         Action = "version"
	ActionKeysGet         Action = "keys.get"
	ActionKeysCreate      Action = "keys.create"
	ActionKeysUpdate      Action = "keys.update"
	ActionKeysDelete      Action = "keys.delete"
	ActionExperimentalGet Action = "experimental.get"
	ActionExperimentalSet Action = "experimental.update"
	ActionExport          Action = "export"
	ActionNetworkGet      Action = "network.get"
	ActionNetworkUpdate   Action = "network.update"
	ActionWebhooksGet     Action = "webhooks.get"
	ActionWebhooksCreate  Action = "webhooks.create"
	ActionWebhooksUpdate  Action = "webhooks.update"
	ActionWebhooksDelete  Action = "webhooks.delete"
	ActionFields          Action = "fields.post"
	ActionChatsGet        Action = "chats.get"
	ActionChatsDelete     Action = "chats.delete"
	ActionChatSettingsGet Action = "chatsSettings.get"
	ActionChatSettingsSet Action = "chatsSettings.update"
	ActionChatCompletions Action = "chatCompletions"
	ActionSearchRulesGet  Action = "dynamicSearchRules.get"
	ActionSearchRulesSet  Action = "dynamicSearchRules.update"
	ActionSearchRulesDel  Action = "dynamicSearchRules.delete"
)

// Credentials are what a request shows. Present is false without a token.
type Credentials struct {
	Token   string
	Present bool
}

// Access is what a request wants. IndexUID is empty for routes of no one index.
type Access struct {
	Action   Action
	IndexUID string
}

// Grant is what a request may do once it was let in. It is not changed after
// it was made, so that authorizers can hand out shared ones.
type Grant struct {
	// Owner tells keys apart where state belongs to one, as idempotency keys do.
	// It is no secret.
	Owner string
	// Allowed limits the indexes that listings show; nil means all.
	Allowed func(indexUID string) bool
	// Patterns are the indexes that Allowed lets through: names, or beginnings that
	// end in "*".
	Patterns []string
	// CreateIndexes says that writes may create the index they name.
	CreateIndexes bool
	// Filter is what a tenant token lets be seen of an index: nil is everything. It
	// is nil itself for other tokens.
	Filter func(indexUID string) *api.Value
}

// Authorizer decides whether a request is let in. Requests with an
// Authorization header of another scheme never get here.
type Authorizer interface {
	Authorize(cred Credentials, want Access) (*Grant, *api.Error)
}

// everything is the grant of the master key, and of everybody without one.
var everything = &Grant{Owner: "master", CreateIndexes: true}

// credentials reads the Authorization header: the scheme is case-sensitive and
// ends at the first space.
func credentials(header []string) (Credentials, *api.Error) {
	if len(header) == 0 {
		return Credentials{}, nil
	}
	scheme, token, found := strings.Cut(header[0], " ")
	switch {
	case scheme != "Bearer":
		return Credentials{}, api.MissingAuthorizationHeader()
	case !found:
		return Credentials{}, api.InvalidAPIKey()
	}
	return Credentials{Token: token, Present: true}, nil
}
