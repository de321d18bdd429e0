package embedded

import (
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/miroir-search/miroir/api"
)

func networkRoutes() []route {
	return []route{
		{method: "GET", path: "/network", action: "network.get", handle: getNetwork},
		{method: "PATCH", path: "/network", action: "network.update", handle: patchNetwork},
		{method: "POST", path: "/network/control", action: "network.update", handle: func(r *request) (*reply, *api.Error) {
			v, err := r.readJSON()
			if err != nil {
				return nil, err
			}
			if _, sent := v.Get("origin"); !sent {
				return nil, api.Errorf("bad_request", "Json deserialize error: missing field `origin` at line 1 column %d", len(r.body))
			}
			if err := r.core.require("network", "Using the /network/control route"); err != nil {
				return nil, err
			}
			return nil, api.NewError("requires_enterprise_edition", "Meilisearch Enterprise Edition is required to call this route")
		}},
	}
}

// network is what a node was told about others. It is kept and shown; nobody is called.
type network struct {
	Self    *string                 `json:"self"`
	Remotes map[string]remote       `json:"remotes"`
	Shards  map[string]networkShard `json:"shards"`
	Leader  *string                 `json:"leader"`
	Version string                  `json:"version"`
}

type remote struct {
	URL          string  `json:"url"`
	SearchAPIKey *string `json:"searchApiKey"`
	WriteAPIKey  *string `json:"writeApiKey"`
	Status       string  `json:"status"`
}

type networkShard struct {
	Remotes []string `json:"remotes"`
}

// networkNow is the network with nothing missing.
func (c *core) networkNow() network {
	c.mu.RLock()
	n := c.network
	c.mu.RUnlock()
	if n.Remotes == nil {
		n.Remotes = map[string]remote{}
	}
	if n.Shards == nil {
		n.Shards = map[string]networkShard{}
	}
	if n.Version == "" {
		n.Version = uuid.Nil.String()
	}
	return n
}

func getNetwork(r *request) (*reply, *api.Error) {
	if err := r.core.require("network", "Using the /network route"); err != nil {
		return nil, err
	}
	return ok(r.core.networkNow())
}

// networkChange is the body of PATCH.
type networkChange struct {
	remotes, previousRemotes api.Opt[map[string]api.Opt[remoteChange]]
	shards, previousShards   api.Opt[map[string]api.Opt[shardChange]]
	self, leader             api.Opt[string]
}

type remoteChange struct{ url, searchKey, writeKey api.Opt[string] }

type shardChange struct{ remotes, add, remove []string }

func readRemote(code string, n *remoteChange) api.Into {
	return api.ObjectInto(code, func() []api.Field {
		return []api.Field{
			{Name: "url", Into: api.OptOf("invalid_network_url", &n.url, api.Text)},
			{Name: "searchApiKey", Into: api.OptOf("invalid_network_search_api_key", &n.searchKey, api.Text)},
			{Name: "writeApiKey", Into: api.OptOf("invalid_network_write_api_key", &n.writeKey, api.Text)},
		}
	})
}

func readShard(code string, n *shardChange) api.Into {
	const remotes = "invalid_network_remotes"
	return api.ObjectInto(code, func() []api.Field {
		return []api.Field{
			{Name: "remotes", Into: api.MaybeList(remotes, &n.remotes, api.Text)},
			{Name: "addRemotes", Into: api.MaybeList(remotes, &n.add, api.Text)},
			{Name: "removeRemotes", Into: api.MaybeList(remotes, &n.remove, api.Text)},
		}
	})
}

// nullable reads null as null and everything else by read.
func nullable[T any](read api.Reader[T]) api.Reader[api.Opt[T]] {
	return func(code string, dst *api.Opt[T]) api.Into { return api.OptOf(code, dst, read) }
}

func (r *request) networkChange() (*networkChange, *api.Error) {
	n := &networkChange{}
	const remotes, shards = "invalid_network_remotes", "invalid_network_shards"
	return n, r.object(
		api.Field{Name: "remotes", Into: api.OptOf(remotes, &n.remotes, api.Map(nullable(readRemote)))},
		api.Field{Name: "shards", Into: api.OptOf(shards, &n.shards, api.Map(nullable(readShard)))},
		api.Field{Name: "previousShards", Into: api.OptOf(shards, &n.previousShards, api.Map(nullable(readShard)))},
		api.Field{Name: "self", Into: api.OptOf("invalid_network_self", &n.self, api.Text)},
		api.Field{Name: "leader", Into: api.OptOf("invalid_network_leader", &n.leader, api.Text)},
		api.Field{Name: "previousRemotes", Into: api.OptOf(remotes, &n.previousRemotes, api.Map(nullable(readRemote)))})
}

func patchNetwork(r *request) (*reply, *api.Error) {
	n, err := r.networkChange()
	if err != nil {
		return nil, err
	}
	if err := r.core.require("network", "Using the /network route"); err != nil {
		return nil, err
	}
	switch {
	case n.leader.IsSet():
		return nil, api.NewError("requires_enterprise_edition", "Meilisearch Enterprise Edition is required to set `network.leader`")
	case !n.previousRemotes.IsZero():
		return nil, api.NewError("unexpected_network_previous_remotes", "Unexpected `previousRemotes` in network call.\n  - Note: "+
			"`previousRemote` is reserved for internal use.")
	}
	next, err := n.apply(r.core.networkNow())
	if err != nil {
		return nil, err
	}
	err = remember(r.core, metaNetwork, &r.core.network, func(network) network { return *next })
	if err != nil {
		return nil, err
	}
	return ok(next)
}

// apply merges a change by name; a remote that goes leaves its shards, and a shard without remotes goes too.
func (n *networkChange) apply(old network) (*network, *api.Error) {
	next := network{Self: old.Self, Remotes: maps.Clone(old.Remotes), Shards: maps.Clone(old.Shards), Version: newRequestUID()}
	patchText(&next.Self, n.self)
	if n.shards.IsNull() {
		next.Shards = map[string]networkShard{}
	}
	for name, change := range n.shards.Value() {
		if s, set := change.Get(); set {
			next.Shards[name] = s.apply(next.Shards[name])
		} else {
			delete(next.Shards, name)
		}
	}
	if n.remotes.IsNull() {
		next.Remotes = map[string]remote{}
	}
	changes := n.remotes.Value()
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		change, set := changes[name].Get()
		if !set {
			delete(next.Remotes, name)
			for shard, s := range next.Shards {
				next.Shards[shard] = shardChange{remove: []string{name}}.apply(s)
			}
			continue
		}
		old, known := next.Remotes[name]
		made, err := change.apply(name, old, known)
		if err != nil {
			return nil, err
		}
		next.Remotes[name] = made
	}
	maps.DeleteFunc(next.Shards, func(_ string, s networkShard) bool { return len(s.Remotes) == 0 })
	return &next, nil
}

func (n shardChange) apply(old networkShard) networkShard {
	list := slices.Clone(old.Remotes)
	if n.remotes != nil {
		list = slices.Clone(n.remotes)
	}
	list = append(list, n.add...)
	slices.Sort(list)
	list = slices.Compact(list)
	list = slices.DeleteFunc(list, func(name string) bool { return slices.Contains(n.remove, name) })
	return networkShard{list}
}

func (n remoteChange) apply(name string, old remote, known bool) (remote, *api.Error) {
	switch {
	case !known && !n.url.IsSet():
		return old, api.NewError("missing_network_url", "Missing field `.remotes."+name+".url`")
	case n.url.IsNull():
		return old, api.NewError("invalid_network_url", "Field `.remotes."+name+".url` cannot be set to `null`")
	}
	if text, set := n.url.Get(); set {
		if reason := api.BadURL(text); reason != "" {
			return old, api.NewError("invalid_network_url", "Invalid `.remotes."+name+".url` (`"+text+"`): "+reason)
		}
		old.URL = text
	}
	patchText(&old.SearchAPIKey, n.searchKey)
	patchText(&old.WriteAPIKey, n.writeKey)
	old.Status = "available"
	return old, nil
}

func patchText(dst **string, o api.Opt[string]) {
	if text, set := o.Get(); set {
		*dst = &text
	} else if o.IsNull() {
		*dst = nil
	}
}
