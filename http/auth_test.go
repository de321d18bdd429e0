package http

import (
	"testing"

	"github.com/miroir-search/miroir/api"
)

func TestTokensAreChecked(t *testing.T) {
	const master, admin = "master-master-master", "admin-admin-admin-admin"
	type row struct {
		name, authorization, path string
		status                    int
		code                      string
	}
	const search, topology = "/indexes/films/stats", "/_miroir/topology"
	tests := []row{
		{"the master key searches", "Bearer " + master, search, 200, ""},
		{"the master key administers", "Bearer " + master, topology, 200, ""},
		{"the admin key administers", "Bearer " + admin, topology, 200, ""},
		{"the admin key sees the stats", "Bearer " + admin, "/admin/stats", 200, ""},
		{"the admin key sees readiness", "Bearer " + admin, "/_miroir/ready", 200, ""},
		{"the admin key sees metrics", "Bearer " + admin, "/_miroir/metrics", 200, ""},
		{"the admin key searches nothing", "Bearer " + admin, search, 403, "invalid_api_key"},
		{"the admin key lists no indexes", "Bearer " + admin, "/indexes", 403, "invalid_api_key"},
		{"the admin key sees no version", "Bearer " + admin, "/tasks", 403, "invalid_api_key"},
		{"no token", "", search, 401, "missing_authorization_header"},
		{"no token for the admin routes", "", topology, 401, "missing_authorization_header"},
		{"an unknown token", "Bearer x", search, 403, "invalid_api_key"},
		{"a key with a letter more", "Bearer " + master + "x", search, 403, "invalid_api_key"},
		{"a key with a letter less", "Bearer " + master[1:], search, 403, "invalid_api_key"},
		{"another scheme", "Basic " + master, search, 401, "missing_authorization_header"},
		{"a scheme in lower case", "bearer " + master, search, 401, "missing_authorization_header"},
		{"only the key", master, search, 401, "missing_authorization_header"},
		{"two spaces", "Bearer  " + master, search, 403, "invalid_api_key"},
		{"no key behind the scheme", "Bearer", search, 403, "invalid_api_key"},
		{"health needs nothing", "", "/health", 200, ""},
		{"health ignores a wrong token", "Bearer x", "/health", 200, ""},
		{"the root needs nothing", "", "/", 200, ""},
		{"the version needs a token", "", "/version", 401, "missing_authorization_header"},
		{"the master key sees the version", "Bearer " + master, "/version", 200, ""},
	}
	check := func(t *testing.T, s *Server, tc row) {
		t.Helper()
		var headers []string
		if tc.authorization != "" {
			headers = []string{"Authorization", tc.authorization}
		}
		r := send(t, s, "GET", tc.path, "", headers...)
		if r.status != tc.status || tc.code != "" && r.code(t) != tc.code {
			t.Errorf("got %d %s, want %d %s", r.status, r.body, tc.status, tc.code)
		}
	}
	locked := start(t, newFakeDoor(), func(o *Options) { o.Keys = NewStaticKeys(master, admin) })
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) { check(t, locked, tc) })
	}
	open := start(t, newFakeDoor(), nil)
	for _, tc := range []row{
		{"without a master key all is open", "", search, 200, ""},
		{"without a master key any token is ignored", "Bearer x", topology, 200, ""},
		{"without a master key another scheme is refused", "Basic x", search, 401, "missing_authorization_header"},
		{"without a master key there are no keys", "", "/keys", 401, "missing_master_key"},
	} {
		t.Run(tc.name, func(t *testing.T) { check(t, open, tc) })
	}
	single := start(t, newFakeDoor(), func(o *Options) { o.Keys = NewStaticKeys(master, "") })
	t.Run("an admin key that is not set lets nobody in", func(t *testing.T) {
		check(t, single, row{authorization: "Bearer ", path: topology, status: 403, code: "invalid_api_key"})
	})
}

func TestAuthorizationComesBeforeTheBody(t *testing.T) {
	s := start(t, newFakeDoor(), func(o *Options) { o.Keys = NewStaticKeys("master-master-master", "") })
	if r := send(t, s, "POST", "/indexes/films/documents?lol=1", "not json"); r.status != 401 {
		t.Errorf("got %d %s", r.status, r.body)
	}
	if r := send(t, s, "POST", "/indexes/a%20b/search", "not json", "Authorization", "Bearer x"); r.status != 403 {
		t.Errorf("got %d %s", r.status, r.body)
	}
}

// onlyFilms lets everybody see one index.
type onlyFilms struct{}

func (onlyFilms) Authorize(_ Credentials, want Access) (*Grant, *api.Error) {
	if want.IndexUID != "" && want.IndexUID != "films" {
		return nil, api.InvalidAPIKey()
	}
	return &Grant{Owner: "k1", Allowed: func(uid string) bool { return uid == "films" }, Patterns: []string{"films"}}, nil
}

func TestARestrictedTokenSeesItsIndexesOnly(t *testing.T) {
	door := newFakeDoor()
	s := start(t, door, func(o *Options) { o.Authorizer = onlyFilms{} })
	for path, want := range map[string]int{"/indexes/films": 200, "/indexes/people": 403, "/tasks/3": 200, "/tasks/4": 404} {
		if r := send(t, s, "GET", path, ""); r.status != want {
			t.Errorf("%s is %d %s", path, r.status, r.body)
		}
	}
	if r := send(t, s, "GET", "/indexes", ""); r.body != `{"results":[{"uid":"films","createdAt":"2026-01-02T03:04:05.6Z","updatedAt":"2026-01-02T03:04:05.6Z","primaryKey":"id"}],"offset":0,"limit":20,"total":1}` {
		t.Errorf("indexes are %s", r.body)
	}
	if r := send(t, s, "POST", "/indexes", `{"uid":"other"}`, asJSON...); r.status != 403 {
		t.Errorf("creating another index is %d", r.status)
	}
	if r := send(t, s, "POST", "/multi-search", `{"queries":[{"indexUid":"people"}]}`, asJSON...); r.status != 403 {
		t.Errorf("a search in another index is %d", r.status)
	}
	send(t, s, "GET", "/tasks", "")
	if q := door.queries[0]; len(q.AllowedIndexes) != 1 || q.AllowedIndexes[0] != "films" {
		t.Errorf("tasks of %v are listed", q.AllowedIndexes)
	}
}
