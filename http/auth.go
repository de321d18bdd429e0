package http

import (
	"crypto/sha256"
	"crypto/subtle"
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
	ActionWebhooks        Action = "webhooks.*"
	ActionFields          Action = "fields.post"
	ActionChats           Action = "chats.*"
	ActionChatCompletions Action = "chatCompletions"
	ActionSearchRules     Action = "dynamicSearchRules.*"
	ActionRender          Action = "render"
	ActionLogs            Action = "logs"
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
	// CreateIndexes says that writes may create the index they name.
	CreateIndexes bool
}

// Authorizer decides whether a request is let in. Requests with an
// Authorization header of another scheme never get here.
type Authorizer interface {
	Authorize(cred Credentials, want Access) (*Grant, *api.Error)
}

// everything is the grant of the master key, and of everybody without one.
var everything = &Grant{Owner: "master", CreateIndexes: true}

// StaticKeys lets in by the master key (everything) and the admin key (admin
// routes only). Without a master key every route is open, except the routes of
// keys.
type StaticKeys struct {
	open          bool
	master, admin [sha256.Size]byte
	hasAdmin      bool
}

// NewStaticKeys makes an Authorizer; empty keys are not set.
func NewStaticKeys(master, admin string) *StaticKeys {
	return &StaticKeys{open: master == "", master: sha256.Sum256([]byte(master)), admin: sha256.Sum256([]byte(admin)),
		hasAdmin: admin != ""}
}

// Authorize implements Authorizer. Comparing hashes takes the same time for
// every token, whatever its length.
func (k *StaticKeys) Authorize(cred Credentials, want Access) (*Grant, *api.Error) {
	if k.open {
		if strings.HasPrefix(string(want.Action), "keys.") {
			return nil, api.MissingMasterKey()
		}
		return everything, nil
	}
	if !cred.Present {
		return nil, api.MissingAuthorizationHeader()
	}
	sum := sha256.Sum256([]byte(cred.Token))
	master := subtle.ConstantTimeCompare(sum[:], k.master[:]) == 1
	admin := subtle.ConstantTimeCompare(sum[:], k.admin[:]) == 1 && k.hasAdmin
	if master || admin && want.Action == ActionAdmin {
		return everything, nil
	}
	return nil, api.InvalidAPIKey()
}

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
