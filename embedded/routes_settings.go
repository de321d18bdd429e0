package embedded

import (
	"encoding/json"

	"github.com/miroir-search/miroir/api"
)

func settingsRoutes() []route {
	const base = "/indexes/:index/settings"
	all := []route{
		{method: "GET", path: base, action: "settings.get", handle: getSettings},
		{method: "PATCH", path: base, action: "settings.update", handle: patchSettings},
		{method: "DELETE", path: base, action: "settings.update", handle: resetSettings},
	}
	for _, s := range api.SettingTable() {
		path := base + "/" + s.Path
		all = append(all,
			route{method: "GET", path: path, action: "settings.get", handle: func(r *request) (*reply, *api.Error) {
				x, err := r.indexOf()
				if err != nil {
					return nil, err
				}
				return okRaw(s.Get(x.settings))
			}},
			route{method: s.Verb, path: path, action: "settings.update", handle: func(r *request) (*reply, *api.Error) {
				return r.changeSettings(s.DecodeWith)
			}},
			route{method: "DELETE", path: path, action: "settings.update", handle: func(r *request) (*reply, *api.Error) {
				return r.enqueueSettings(s.Reset(), false)
			}},
		)
	}
	return all
}

// okRaw answers with a value that may be null.
func okRaw(v any) (*reply, *api.Error) {
	data, err := api.Marshal(v)
	if err != nil {
		return nil, api.Internal(err.Error())
	}
	return &reply{status: 200, raw: data}, nil
}

func getSettings(r *request) (*reply, *api.Error) {
	x, err := r.indexOf()
	if err != nil {
		return nil, err
	}
	s := x.settings.Masked()
	if r.core.feature("foreignKeys") {
		s.ForeignKeys = json.RawMessage("[]") // nobody can set any
	}
	switch {
	case !r.core.feature("chatCompletions"):
		s.Chat = nil
	case s.Chat == nil:
		s.Chat = api.DefaultChat()
	}
	return ok(s)
}

func patchSettings(r *request) (*reply, *api.Error) { return r.changeSettings(api.DecodeSettingsWith) }

func resetSettings(r *request) (*reply, *api.Error) {
	return r.enqueueSettings(api.ResetSettings(), false)
}

func (r *request) changeSettings(decode func(v api.Value, on func(string) bool) (*api.SettingsPatch, *api.Error)) (*reply, *api.Error) {
	if _, err := r.index(); err != nil {
		return nil, err
	}
	v, err := r.readJSON()
	if err != nil {
		return nil, err
	}
	p, err := decode(v, r.core.feature)
	if err != nil {
		return nil, err
	}
	if p.ForeignKeys.IsSet() {
		return nil, api.NewError(api.CodeNotSupported, "an embedded node does not join documents by `foreignKeys`")
	}
	return r.enqueueSettings(p, true)
}

func (r *request) enqueueSettings(p *api.SettingsPatch, create bool) (*reply, *api.Error) {
	uid, err := r.index()
	if err != nil {
		return nil, err
	}
	op := &operation{Kind: opSettings, Index: uid, Settings: p, AllowCreate: create && r.access.mayCreate()}
	return accepted(r.core.enqueue(api.SettingsUpdate, op, &api.Details{SettingsPatch: p.Masked()}, nil))
}
