package http

import (
	"net/http"
	"slices"
	"time"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
)

func (s *Server) indexRoutes() {
	s.route(http.MethodGet, "/indexes", ActionIndexesGet, listIndexes)
	s.route(http.MethodPost, "/indexes", ActionIndexesCreate, createIndex)
	s.route(http.MethodGet, "/indexes/:index", ActionIndexesGet, getIndex)
	s.route(http.MethodPatch, "/indexes/:index", ActionIndexesUpdate, updateIndex)
	s.route(http.MethodDelete, "/indexes/:index", ActionIndexesDelete, deleteIndex)
	s.route(http.MethodPost, "/indexes/:index/fields", ActionFields, listFields)
	s.route(http.MethodPost, "/indexes/:index/compact", ActionIndexesCompact, compactIndex)
	s.route(http.MethodPost, "/swap-indexes", ActionIndexesSwap, swapIndexes)
}

// indexView is an index as clients see it.
type indexView struct {
	UID        string    `json:"uid"`
	CreatedAt  time.Time `json:"createdAt"`
	UpdatedAt  time.Time `json:"updatedAt"`
	PrimaryKey *string   `json:"primaryKey"`
}

func viewIndex(i *messages.Index) indexView {
	v := indexView{UID: i.UID, CreatedAt: i.CreatedAt.UTC(), UpdatedAt: i.UpdatedAt.UTC()}
	if i.PrimaryKey != "" {
		v.PrimaryKey = &i.PrimaryKey
	}
	return v
}

// page is the envelope of listings that count from an offset.
type page[T any] struct {
	Results []T `json:"results"`
	Offset  int `json:"offset"`
	Limit   int `json:"limit"`
	Total   int `json:"total"`
}

func listIndexes(c *call) error {
	offset, limit, bad := api.ParsePage(c.query(), "invalid_index_offset", "invalid_index_limit")
	if bad != nil {
		return bad
	}
	all := c.s.opts.Door.Indexes()
	if allowed := c.grant.Allowed; allowed != nil {
		all = slices.DeleteFunc(slices.Clone(all), func(i *messages.Index) bool { return !allowed(i.UID) })
	}
	out := page[indexView]{Results: []indexView{}, Offset: offset, Limit: limit, Total: len(all)}
	for _, i := range all[min(offset, len(all)):] {
		if len(out.Results) >= limit {
			break
		}
		out.Results = append(out.Results, viewIndex(i))
	}
	return c.json(http.StatusOK, out)
}

// index finds the index in the path.
func (c *call) index() (*messages.Index, error) {
	uid, err := c.indexUID()
	if err != nil {
		return nil, err
	}
	i, ok := c.s.opts.Door.Index(uid)
	if !ok {
		return nil, api.IndexNotFound(uid)
	}
	return i, nil
}

func getIndex(c *call) error {
	i, err := c.index()
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, viewIndex(i))
}

// createIndex checks the request; that the index exists already is found out by
// the task.
func createIndex(c *call) error {
	v, err := c.jsonValue()
	if err != nil {
		return err
	}
	m := &messages.CreateIndex{}
	var key *string
	bad := api.DecodeObject(v, api.At{}, "bad_request", []api.Field{
		{Name: "uid", Into: api.UID("invalid_index_uid", &m.IndexUID), Required: true, MissingCode: "missing_index_uid"},
		{Name: "primaryKey", Into: api.Maybe("invalid_index_primary_key", &key, api.Text)},
	})
	switch {
	case bad != nil:
		return bad
	case c.grant.Allowed != nil && !c.grant.Allowed(m.IndexUID):
		return api.InvalidAPIKey()
	case key != nil:
		m.PrimaryKey = *key
	}
	if m.WriteOptions, err = c.writeOptions(nil); err != nil {
		return err
	}
	return c.change(m)
}

func updateIndex(c *call) error {
	v, err := c.jsonValue()
	if err != nil {
		return err
	}
	m := &messages.UpdateIndex{}
	if bad := api.DecodeObjectUnknown(v, api.At{}, "bad_request", []api.Field{
		{Name: "primaryKey", Into: api.Maybe("invalid_index_primary_key", &m.PrimaryKey, api.Text)},
		{Name: "uid", Into: api.Maybe("invalid_index_uid", &m.NewUID, api.Text)},
	}, unknownIndexField); bad != nil {
		return bad
	}
	if m.IndexUID, err = c.indexUID(); err != nil {
		return err
	}
	if m.NewUID != nil {
		if bad := api.CheckIndexUID(*m.NewUID); bad != nil {
			return bad
		}
		if c.grant.Allowed != nil && !c.grant.Allowed(*m.NewUID) {
			return api.InvalidAPIKey()
		}
	}
	if m.WriteOptions, err = c.writeOptions(nil); err != nil {
		return err
	}
	return c.change(m)
}

func unknownIndexField(key string) *api.Error {
	accepted := []string{"primaryKey", "uid"}
	switch key {
	case "createdAt":
		return api.ImmutableField("immutable_index_created_at", key, accepted...)
	case "updatedAt":
		return api.ImmutableField("immutable_index_updated_at", key, accepted...)
	default:
		return api.UnknownField("bad_request", api.At{}, key, accepted)
	}
}

func deleteIndex(c *call) error {
	uid, err := c.indexUID()
	if err != nil {
		return err
	}
	options, err := c.writeOptions(nil)
	if err != nil {
		return err
	}
	return c.change(&messages.DeleteIndex{IndexUID: uid, WriteOptions: options})
}

func compactIndex(c *call) error {
	uid, err := c.indexUID()
	if err != nil {
		return err
	}
	options, err := c.writeOptions(nil)
	if err != nil {
		return err
	}
	return c.change(&messages.CompactIndex{IndexUID: uid, WriteOptions: options})
}

func listFields(c *call) error {
	v, err := c.jsonValue()
	if err != nil {
		return err
	}
	query, bad := api.DecodeFields(v)
	if bad != nil {
		return bad
	}
	uid, err := c.indexUID()
	if err != nil {
		return err
	}
	return c.ask(&messages.ListFields{IndexUID: uid, Query: query})
}

// swapIndexes checks the request; that the indexes exist is found out by the task.
func swapIndexes(c *call) error {
	v, err := c.jsonValue()
	if err != nil {
		return err
	}
	swaps, bad := api.DecodeSwaps(v, c.grant.Allowed)
	if bad != nil {
		return bad
	}
	options, err := c.writeOptions(nil)
	if err != nil {
		return err
	}
	return c.change(&messages.SwapIndexes{Swaps: swaps, WriteOptions: options})
}
