package http

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/miroir-search/miroir/auth"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/store"
)

const testMaster = "master-master-master"

// memory is a store of keys.
type memory struct {
	mu     sync.Mutex
	values map[string]json.RawMessage
	broken error
}

func (m *memory) Values(context.Context, string) (map[string]json.RawMessage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.values), nil
}

func (m *memory) Commit(_ context.Context, b *store.Batch) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return m.broken
	}
	for name, v := range b.Values {
		if v == nil {
			delete(m.values, name)
		} else {
			m.values[name] = v
		}
	}
	return nil
}

func openKeys(t *testing.T, m *memory) *Keys {
	t.Helper()
	k, err := OpenKeys(context.Background(), testMaster, "admin-admin-admin-admin", m)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

func bearerJSON(token string) []string { return append(bearer(token), asJSON...) }

func TestKeysAreKeptAndTakeEffectAtOnce(t *testing.T) {
	m := &memory{values: map[string]json.RawMessage{}}
	s := start(t, newFakeDoor(), func(o *Options) { o.Keys = openKeys(t, m) })
	r := send(t, s, "GET", "/keys", "", bearer(testMaster)...)
	for i, name := range []string{"Search", "Admin", "Read-Only Admin", "Chat"} {
		if parts := strings.Split(r.body, `{"name":"Default `); len(parts) != 5 || !strings.HasPrefix(parts[i+1], name+" API Key") {
			t.Fatalf("the default keys are %s", r.body)
		}
	}
	const uid = "6062abda-a5aa-4414-ac91-ecd7944c0f8d"
	made := send(t, s, "POST", "/keys", `{"uid":"`+uid+`","actions":["stats.get"],"indexes":["fil*"],"expiresAt":null}`, bearerJSON(testMaster)...)
	value := auth.Value(testMaster, uid)
	if made.status != 201 || !strings.Contains(made.body, value) {
		t.Fatalf("%d %s", made.status, made.body)
	}
	if r := send(t, s, "GET", "/indexes/films/stats", "", bearer(value)...); r.status != 200 {
		t.Errorf("a new key: %d %s", r.status, r.body)
	}
	if r := send(t, s, "GET", "/_miroir/topology", "", bearer(value)...); r.status != 403 {
		t.Errorf("an API key administers: %d %s", r.status, r.body)
	}
	again := start(t, newFakeDoor(), func(o *Options) { o.Keys = openKeys(t, m) })
	if got := send(t, again, "GET", "/keys/"+value, "", bearer(testMaster)...); got.body != made.body {
		t.Errorf("after a restart %s, was %s", got.body, made.body)
	}
	if r := send(t, again, "GET", "/keys", "", bearer(testMaster)...); !strings.Contains(r.body, `"total":5}`) {
		t.Errorf("after a restart there are %s", r.body)
	}
	m.broken = store.ErrUnavailable
	for _, call := range [][3]string{{"POST", "/keys", `{"actions":[],"indexes":[],"expiresAt":null}`}, {"PATCH", "/keys/" + uid, `{"name":"x"}`}, {"DELETE", "/keys/" + uid, ""}} {
		if r := send(t, s, call[0], call[1], call[2], bearerJSON(testMaster)...); r.status != 503 || r.code(t) != "miroir_store_unavailable" {
			t.Errorf("%s %s with a broken store: %d %s", call[0], call[1], r.status, r.body)
		}
	}
	if got := send(t, s, "GET", "/keys/"+uid, "", bearer(testMaster)...); got.body != made.body {
		t.Errorf("a change that was not stored shows: %s", got.body)
	}
	m.broken = nil
	if r := send(t, s, "DELETE", "/keys/"+strings.ToUpper(uid), "", bearer(testMaster)...); r.status != 204 || r.body != "" {
		t.Errorf("deletion: %d %s", r.status, r.body)
	}
	if r := send(t, s, "GET", "/indexes/films/stats", "", bearer(value)...); r.status != 403 {
		t.Errorf("a deleted key: %d %s", r.status, r.body)
	}
	if len(m.values) != 4 {
		t.Errorf("%d keys are stored", len(m.values))
	}
}

func TestKeysThatCannotBeReadStopTheStart(t *testing.T) {
	m := &memory{values: map[string]json.RawMessage{"api_key/x": json.RawMessage(`[`)}}
	if _, err := OpenKeys(context.Background(), testMaster, "", m); err == nil {
		t.Error("a stored key that is no JSON is passed over")
	}
	m = &memory{values: map[string]json.RawMessage{}, broken: errors.New("full")}
	if _, err := OpenKeys(context.Background(), testMaster, "", m); !errors.Is(err, m.broken) {
		t.Errorf("default keys that cannot be stored: %v", err)
	}
	if k, err := OpenKeys(context.Background(), "", "", m); err != nil || k == nil {
		t.Errorf("without a master key: %v", err)
	}
}

func TestAnIdempotencyKeyBelongsToItsAPIKey(t *testing.T) {
	door := newFakeDoor()
	k := openKeys(t, &memory{values: map[string]json.RawMessage{}})
	s := start(t, door, func(o *Options) { o.Keys = k })
	const uid = "6062abda-a5aa-4414-ac91-ecd7944c0f8d"
	send(t, s, "POST", "/keys", `{"uid":"`+uid+`","actions":["documents.add"],"indexes":["films"],"expiresAt":null}`, bearerJSON(testMaster)...)
	owners := map[string]bool{}
	for _, token := range []string{testMaster, auth.Value(testMaster, uid)} {
		headers := append(bearerJSON(token), "Idempotency-Key", "one")
		if r := send(t, s, "POST", "/indexes/films/documents", `[{"id":1}]`, headers...); r.status != 202 {
			t.Fatalf("%d %s", r.status, r.body)
		}
		owners[door.writes[len(door.writes)-1].(*messages.AddDocuments).Idempotency.Owner] = true
	}
	if !owners["master"] || !owners[uid] || len(owners) != 2 {
		t.Errorf("owners are %v", owners)
	}
	if door.writes[1].(*messages.AddDocuments).CreateAllowed {
		t.Error("a key without indexes.create may create the index")
	}
}

// No route is open by mistake: each asks for a token, refuses a wrong one and a key
// that may do nothing, and the admin key opens Miroir's own only.
func TestEveryRouteAsksForAToken(t *testing.T) {
	k := openKeys(t, &memory{values: map[string]json.RawMessage{}})
	door := newFakeDoor()
	s := start(t, door, func(o *Options) { o.Keys = k })
	const uid, all = "6062abda-a5aa-4414-ac91-ecd7944c0f8d", "6062abda-a5aa-4414-ac91-ecd7944c0f8e"
	send(t, s, "POST", "/keys", `{"uid":"`+uid+`","actions":[],"indexes":["*"],"expiresAt":null}`, bearerJSON(testMaster)...)
	send(t, s, "POST", "/keys", `{"uid":"`+all+`","actions":["*"],"indexes":["*"],"expiresAt":null}`, bearerJSON(testMaster)...)
	public := map[string]bool{"/": true, "/health": true}
	seen := 0
	for _, r := range s.echo.Routes() {
		if public[r.Path] || !slices.Contains(apiMethods, r.Method) || !slices.Contains(s.methods[r.Path], r.Method) {
			continue
		}
		seen++
		path := strings.NewReplacer(":index", "films", ":id", "1", ":task", "3", ":key", uid, ":uuid", uid).Replace(r.Path)
		for _, tc := range []struct {
			name   string
			token  []string
			status int
		}{
			{"no token", nil, 401}, {"a wrong token", bearer("x"), 403}, {"a key that may do nothing", bearer(auth.Value(testMaster, uid)), 403},
		} {
			if got := send(t, s, r.Method, path, "{", append(tc.token, asJSON...)...); got.status != tc.status {
				t.Errorf("%s %s with %s is %d %s", r.Method, path, tc.name, got.status, got.body)
			}
		}
		own := strings.HasPrefix(path, "/_miroir/") || strings.HasPrefix(path, "/admin/")
		if got := send(t, s, r.Method, path, "{", append(bearer("admin-admin-admin-admin"), asJSON...)...); (got.status != 403) != own {
			t.Errorf("%s %s with the admin key is %d", r.Method, path, got.status)
		}
		if got := send(t, s, r.Method, path, "{", append(bearer(auth.Value(testMaster, all)), asJSON...)...); (got.status == 403) != own {
			t.Errorf("%s %s with a key of everything is %d", r.Method, path, got.status)
		}
	}
	if seen < 100 {
		t.Errorf("only %d routes were seen", seen)
	}
}

// Keys are a part of the store, and so of its backups.
func TestABackupHasTheKeys(t *testing.T) {
	ctx := context.Background()
	open := func(dir string) (store.Store, *Keys) {
		t.Helper()
		s, err := store.Open(ctx, store.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		k, err := OpenKeys(ctx, testMaster, "", s)
		if err != nil {
			t.Fatal(err)
		}
		return s, k
	}
	first, keys := open(t.TempDir())
	s := start(t, newFakeDoor(), func(o *Options) { o.Keys = keys })
	if r := send(t, s, "POST", "/keys", `{"name":"mine","actions":["search"],"indexes":["a*"],"expiresAt":"2099-01-01T00:00:00+02:00"}`, bearerJSON(testMaster)...); r.status != 201 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	gone := keys.ring.Load().Keys()[1].UID
	if r := send(t, s, "DELETE", "/keys/"+gone, "", bearer(testMaster)...); r.status != 204 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	copied := filepath.Join(t.TempDir(), "backup")
	if err := first.Backup(ctx, copied); err != nil {
		t.Fatal(err)
	}
	_, again := open(copied)
	other := start(t, newFakeDoor(), func(o *Options) { o.Keys = again })
	want, got := send(t, s, "GET", "/keys", "", bearer(testMaster)...), send(t, other, "GET", "/keys", "", bearer(testMaster)...)
	if got.body != want.body || !strings.Contains(got.body, `"expiresAt":"2099-01-01T00:00:00+02:00"`) || !strings.Contains(got.body, `"total":4}`) {
		t.Errorf("a backup has %s, the store %s", got.body, want.body)
	}
}
