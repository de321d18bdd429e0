package embedded

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	bolt "go.etcd.io/bbolt"

	"github.com/miroir-search/miroir/api"
)

func keyRoutes() []route {
	return []route{
		{method: "GET", path: "/keys", action: "keys.get", handle: listKeys},
		{method: "POST", path: "/keys", action: "keys.create", handle: createKey},
		{method: "GET", path: "/keys/:key", action: "keys.get", handle: getKey},
		{method: "PATCH", path: "/keys/:key", action: "keys.update", handle: patchKey},
		{method: "DELETE", path: "/keys/:key", action: "keys.delete", handle: deleteKey},
	}
}

// apiKey is a key without its value, which is never kept. It is replaced, never changed.
type apiKey struct {
	Name        *string    `json:"name"`
	Description *string    `json:"description"`
	UID         string     `json:"uid"`
	Actions     []string   `json:"actions"`
	Indexes     []string   `json:"indexes"`
	ExpiresAt   *time.Time `json:"expiresAt"`
	CreatedAt   time.Time  `json:"createdAt"`
	UpdatedAt   time.Time  `json:"updatedAt"`
	// Order tells apart keys made at the same moment.
	Order int `json:"order"`
}

type keyView struct {
	Name        *string    `json:"name"`
	Description *string    `json:"description"`
	Key         string     `json:"key"`
	UID         string     `json:"uid"`
	Actions     []string   `json:"actions"`
	Indexes     []string   `json:"indexes"`
	ExpiresAt   *time.Time `json:"expiresAt"`
	CreatedAt   time.Time  `json:"createdAt"`
	UpdatedAt   time.Time  `json:"updatedAt"`
}

func (c *core) keyView(k *apiKey) keyView {
	return keyView{k.Name, k.Description, k.value(c.opt.MasterKey), k.UID, k.Actions, k.Indexes, k.ExpiresAt, k.CreatedAt, k.UpdatedAt}
}

// createDefaultKeys makes the four keys of a first start.
func (c *core) createDefaultKeys() error {
	defaults := []struct{ name, description, actions string }{
		{"Default Search API Key", "Use it to search from the frontend", "search"},
		{"Default Admin API Key", "Use it for anything that is not a search operation. Caution! Do not expose it on a public frontend", "*"},
		{"Default Read-Only Admin API Key", "Use it to read information across the whole database. Caution! Do not expose this key on a public frontend", "*.get keys.get"},
		{"Default Chat API Key", "Use it to chat and search from the frontend", "chatCompletions search"},
	}
	now := c.now()
	for i, d := range defaults {
		k := &apiKey{Name: &d.name, Description: &d.description, UID: uuid.NewString(), Actions: strings.Fields(d.actions),
			Indexes: []string{"*"}, CreatedAt: now, UpdatedAt: now, Order: len(defaults) - i}
		if err := c.putKey(k); err != nil {
			return err
		}
	}
	return nil
}

func (c *core) putKey(k *apiKey) error {
	if c.store != nil {
		err := c.store.db.Update(func(tx *bolt.Tx) error { return putJSON(tx.Bucket(bucketKeys), []byte(k.UID), k) })
		if err != nil {
			return fmt.Errorf("write key: %w", err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys[k.UID] = k
	return nil
}

func (c *core) loadKeys(b *bolt.Bucket) error {
	return b.ForEach(func(uid, value []byte) error {
		k := &apiKey{}
		if err := json.Unmarshal(value, k); err != nil {
			return fmt.Errorf("read key: %w", err)
		}
		c.keys[string(uid)] = k
		return nil
	})
}

func listKeys(r *request) (*reply, *api.Error) {
	offset, limit, err := api.ParsePage(r.URL.RawQuery, "invalid_api_key_offset", "invalid_api_key_limit")
	if err != nil {
		return nil, err
	}
	c := r.core
	all := c.newestKeys()
	views := make([]keyView, len(all))
	for i, k := range all {
		views[i] = c.keyView(k)
	}
	return ok(cut(views, offset, limit))
}

// newestKeys lists all keys, those first that were made last.
func (c *core) newestKeys() []*apiKey {
	c.mu.RLock()
	all := make([]*apiKey, 0, len(c.keys))
	for _, k := range c.keys {
		all = append(all, k)
	}
	c.mu.RUnlock()
	slices.SortFunc(all, func(a, b *apiKey) int {
		if n := b.CreatedAt.Compare(a.CreatedAt); n != 0 {
			return n
		}
		return b.Order - a.Order
	})
	return all
}

// keyOfPath finds a key by uid or by value.
func (r *request) keyOfPath() (*apiKey, *api.Error) {
	c, text := r.core, r.params["key"]
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, k := range c.keys {
		if k.UID == text || k.value(c.opt.MasterKey) == text {
			return k, nil
		}
	}
	return nil, api.APIKeyNotFound(text)
}

func getKey(r *request) (*reply, *api.Error) {
	k, err := r.keyOfPath()
	if err != nil {
		return nil, err
	}
	return ok(r.core.keyView(k))
}

func createKey(r *request) (*reply, *api.Error) {
	c := r.core
	k, err := c.decodeKey(r)
	if err != nil {
		return nil, err
	}
	c.mu.RLock()
	_, dup := c.keys[k.UID]
	k.Order = len(c.keys) + 1
	c.mu.RUnlock()
	if dup {
		return nil, api.APIKeyAlreadyExists(k.UID)
	}
	if err := c.putKey(k); err != nil {
		return nil, api.Internal(err.Error())
	}
	return &reply{status: http.StatusCreated, body: c.keyView(k)}, nil
}

// decodeKey reads the body of POST /keys.
func (c *core) decodeKey(r *request) (*apiKey, *api.Error) {
	now := c.now()
	k := &apiKey{UID: uuid.NewString(), CreatedAt: now, UpdatedAt: now}
	err := r.object(
		api.Field{Name: "description", Into: api.Maybe("invalid_api_key_description", &k.Description, api.Text)},
		api.Field{Name: "name", Into: api.Maybe("invalid_api_key_name", &k.Name, api.Text)},
		api.Field{Name: "uid", Into: api.Checked(api.Text, api.BadUUID)("invalid_api_key_uid", &k.UID)},
		api.Field{Name: "actions", Into: api.List(api.OneOf(keyActions()...))("invalid_api_key_actions", &k.Actions), Required: true,
			MissingCode: "missing_api_key_actions"},
		api.Field{Name: "indexes", Into: api.List(api.Checked(api.Text, badIndexPattern))("invalid_api_key_indexes", &k.Indexes),
			Required: true, MissingCode: "missing_api_key_indexes"},
		api.Field{Name: "expiresAt", Into: expiry(now, &k.ExpiresAt), Required: true, MissingCode: "missing_api_key_expires_at"})
	if err != nil {
		return nil, err
	}
	if id, e := uuid.Parse(k.UID); e == nil {
		k.UID = id.String()
	}
	if len(k.Indexes) > 0 && !slices.Contains(k.Indexes, "*") {
		for _, a := range k.Actions {
			if globalAction(a) {
				return nil, api.Errorf("index_scoped_api_key_with_global_action", "cannot create index-scoped API key with global "+
					"action `%q`\n  - Hint: remove action `%q` from the action list, or remove `indexes` to make the key global", a, a)
			}
		}
	}
	return k, nil
}

func badIndexPattern(s string) string {
	if s == "*" || api.ValidIndexUID(strings.TrimSuffix(s, "*")) {
		return ""
	}
	return "`" + s + "` is not a valid index uid pattern. Index uid patterns can be an integer or a string containing only " +
		"alphanumeric characters, hyphens (-), underscores (_), and optionally end with a star (*)."
}

func expiry(now time.Time, dst **time.Time) api.Into {
	const code = "invalid_api_key_expires_at"
	return func(v api.Value, at api.At) *api.Error {
		if v.Kind == api.Null {
			return nil
		}
		var text string
		if err := api.Text(code, &text)(v, at); err != nil {
			return err
		}
		for _, layout := range []string{time.RFC3339Nano, time.DateOnly, "2006-01-02 15:04:05", "2006-01-02T15:04:05"} {
			if t, err := time.Parse(layout, text); err == nil && t.After(now) {
				t = t.UTC()
				*dst = &t
				return nil
			}
		}
		return api.Invalid(code, at, "`"+text+"` is not a valid date. It should follow the RFC 3339 format to represents a date or "+
			"datetime in the future or specified as a null value. e.g. 'YYYY-MM-DD' or 'YYYY-MM-DD HH:MM:SS'.\n")
	}
}

func patchKey(r *request) (*reply, *api.Error) {
	v, err := r.readJSON()
	if err != nil {
		return nil, err
	}
	var description, name api.Opt[string]
	immutable := map[string]string{"uid": "uid", "actions": "actions", "indexes": "indexes", "expiresAt": "expires_at",
		"createdAt": "created_at", "updatedAt": "updated_at"}
	err = api.DecodeObjectUnknown(v, api.At{}, "bad_request", []api.Field{
		{Name: "description", Into: api.OptOf("invalid_api_key_description", &description, api.Text)},
		{Name: "name", Into: api.OptOf("invalid_api_key_name", &name, api.Text)},
	}, func(key string) *api.Error {
		if code, known := immutable[key]; known {
			return api.ImmutableField("immutable_api_key_"+code, key, "description", "name")
		}
		return api.UnknownField("bad_request", api.At{}, key, []string{"description", "name"})
	})
	if err != nil {
		return nil, err
	}
	k, err := r.keyOfPath()
	if err != nil {
		return nil, err
	}
	next := *k
	patchText(&next.Description, description)
	patchText(&next.Name, name)
	next.UpdatedAt = r.core.now()
	if err := r.core.putKey(&next); err != nil {
		return nil, api.Internal(err.Error())
	}
	return ok(r.core.keyView(&next))
}

func patchText(dst **string, o api.Opt[string]) {
	if text, set := o.Get(); set {
		*dst = &text
	} else if o.IsNull() {
		*dst = nil
	}
}

func deleteKey(r *request) (*reply, *api.Error) {
	k, err := r.keyOfPath()
	if err != nil {
		return nil, err
	}
	c := r.core
	if c.store != nil {
		err := c.store.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(bucketKeys).Delete([]byte(k.UID)) })
		if err != nil {
			return nil, api.Internal(fmt.Sprintf("delete key: %v", err))
		}
	}
	c.mu.Lock()
	delete(c.keys, k.UID)
	c.mu.Unlock()
	return &reply{status: http.StatusNoContent}, nil
}

// keyActions lists all actions in the order error texts do.
func keyActions() []string {
	return strings.Fields("* search documents.* documents.add documents.get documents.delete indexes.* indexes.create indexes.get " +
		"indexes.update indexes.delete indexes.swap tasks.* tasks.cancel tasks.delete tasks.get settings.* settings.get " +
		"settings.update stats.* stats.get metrics.* metrics.get dumps.* dumps.create snapshots.* snapshots.create version " +
		"keys.create keys.get keys.update keys.delete experimental.get experimental.update export network.get network.update " +
		"chatCompletions chats.* chats.get chats.delete chatsSettings.* chatsSettings.get chatsSettings.update *.get webhooks.get " +
		"webhooks.update webhooks.delete webhooks.create webhooks.* indexes.compact fields.post tasks.compact " +
		"dynamicSearchRules.get dynamicSearchRules.create dynamicSearchRules.update dynamicSearchRules.delete dynamicSearchRules.*")
}

func globalAction(action string) bool {
	group, _, _ := strings.Cut(action, ".")
	switch group {
	case "metrics", "dumps", "snapshots", "version", "keys", "experimental", "export", "network", "chatsSettings", "webhooks",
		"dynamicSearchRules":
		return true
	default:
		return action == "tasks.compact"
	}
}
