package embedded

import (
	"time"

	"github.com/miroir-search/miroir/api"
)

func indexRoutes() []route {
	return []route{
		{method: "GET", path: "/indexes", action: "indexes.get", handle: listIndexes},
		{method: "POST", path: "/indexes", action: "indexes.create", handle: createIndex},
		{method: "GET", path: "/indexes/:index", action: "indexes.get", handle: getIndex},
		{method: "PATCH", path: "/indexes/:index", action: "indexes.update", handle: updateIndex},
		{method: "DELETE", path: "/indexes/:index", action: "indexes.delete", handle: deleteIndex},
		{method: "POST", path: "/indexes/:index/compact", action: "indexes.compact", handle: compactIndex},
		{method: "POST", path: "/swap-indexes", action: "indexes.swap", handle: swapIndexes},
	}
}

type indexView struct {
	UID        string    `json:"uid"`
	CreatedAt  time.Time `json:"createdAt"`
	UpdatedAt  time.Time `json:"updatedAt"`
	PrimaryKey *string   `json:"primaryKey"`
}

func (x *index) view() indexView {
	v := indexView{UID: x.uid, CreatedAt: x.created, UpdatedAt: x.updated}
	if x.primaryKey != "" {
		v.PrimaryKey = &x.primaryKey
	}
	return v
}

type page[T any] struct {
	Results []T `json:"results"`
	Offset  int `json:"offset"`
	Limit   int `json:"limit"`
	Total   int `json:"total"`
}

func cut[T any](all []T, offset, limit int) page[T] {
	from := min(offset, len(all))
	to := from + min(limit, len(all)-from)
	return page[T]{Results: append([]T{}, all[from:to]...), Offset: offset, Limit: limit, Total: len(all)}
}

func listIndexes(r *request) (*reply, *api.Error) {
	offset, limit, err := api.ParsePage(r.URL.RawQuery, "invalid_index_offset", "invalid_index_limit")
	if err != nil {
		return nil, err
	}
	var all []indexView
	for _, uid := range r.core.uids(r.access) {
		if x, err := r.core.lookup(uid); err == nil {
			all = append(all, x.view())
		}
	}
	return ok(cut(all, offset, limit))
}

func getIndex(r *request) (*reply, *api.Error) {
	x, err := r.indexOf()
	if err != nil {
		return nil, err
	}
	return ok(x.view())
}

func createIndex(r *request) (*reply, *api.Error) {
	op := &operation{Kind: opCreate}
	err := r.object(
		api.Field{Name: "uid", Into: api.UID("invalid_index_uid", &op.Index), Required: true, MissingCode: "missing_index_uid"},
		api.Field{Name: "primaryKey", Into: api.Maybe("invalid_index_primary_key", &op.PrimaryKey, api.Text)})
	if err != nil {
		return nil, err
	}
	if !r.access.allows(op.Index) {
		return nil, api.InvalidAPIKey()
	}
	return accepted(r.core.enqueue(api.IndexCreation, op, &api.Details{PrimaryKey: optional(op.PrimaryKey)}, nil))
}

func optional[T any](p *T) api.Opt[T] {
	if p == nil {
		return api.NullOpt[T]()
	}
	return api.Some(*p)
}

func updateIndex(r *request) (*reply, *api.Error) {
	uid, err := r.index()
	if err != nil {
		return nil, err
	}
	v, err := r.readJSON()
	if err != nil {
		return nil, err
	}
	op := &operation{Kind: opUpdate, Index: uid}
	fields := []api.Field{
		{Name: "primaryKey", Into: api.Maybe("invalid_index_primary_key", &op.PrimaryKey, api.Text)},
		{Name: "uid", Into: api.Maybe("invalid_index_uid", &op.NewIndex, api.Text)},
	}
	err = api.DecodeObjectUnknown(v, api.At{}, "bad_request", fields, func(key string) *api.Error {
		switch key {
		case "createdAt":
			return api.ImmutableField("immutable_index_created_at", key, "primaryKey", "uid")
		case "updatedAt":
			return api.ImmutableField("immutable_index_updated_at", key, "primaryKey", "uid")
		default:
			return api.UnknownField("bad_request", api.At{}, key, []string{"primaryKey", "uid"})
		}
	})
	if err != nil {
		return nil, err
	}
	d := &api.Details{PrimaryKey: optional(op.PrimaryKey)}
	if op.NewIndex != nil {
		if err := api.CheckIndexUID(*op.NewIndex); err != nil {
			return nil, err
		}
		if !r.access.allows(*op.NewIndex) {
			return nil, api.InvalidAPIKey()
		}
		d.OldIndexUID, d.NewIndexUID = api.Some(uid), api.Some(*op.NewIndex)
	}
	return accepted(r.core.enqueue(api.IndexUpdate, op, d, nil))
}

func deleteIndex(r *request) (*reply, *api.Error) {
	uid, err := r.index()
	if err != nil {
		return nil, err
	}
	d := &api.Details{DeletedDocuments: api.NullOpt[uint64]()}
	return accepted(r.core.enqueue(api.IndexDeletion, &operation{Kind: opDrop, Index: uid}, d, nil))
}

func compactIndex(r *request) (*reply, *api.Error) {
	uid, err := r.index()
	if err != nil {
		return nil, err
	}
	return accepted(r.core.enqueue(api.IndexCompaction, &operation{Kind: opCompact, Index: uid}, &api.Details{}, nil))
}

func swapIndexes(r *request) (*reply, *api.Error) {
	v, err := r.readJSON()
	if err != nil {
		return nil, err
	}
	swaps, err := api.DecodeSwaps(v, r.access.allows)
	if err != nil {
		return nil, err
	}
	t, err := r.core.enqueue(api.IndexSwap, &operation{Kind: opSwap, Swaps: swaps}, &api.Details{Swaps: api.Some(swaps)}, nil)
	return accepted(t, err)
}
