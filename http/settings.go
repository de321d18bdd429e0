package http

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
)

// settingsRoutes makes the whole route and one sub-route for every setting that
// api knows.
func (s *Server) settingsRoutes() {
	const base = "/indexes/:index/settings"
	s.route(http.MethodGet, base, ActionSettingsGet, getSettings)
	s.route(http.MethodPatch, base, ActionSettingsUpdate, func(c *call) error { return updateSettings(c, api.DecodeSettingsWith) })
	s.route(http.MethodDelete, base, ActionSettingsUpdate, func(c *call) error { return resetSettings(c, api.ResetSettings()) })
	for _, setting := range api.SettingTable() {
		path := base + "/" + setting.Path
		s.route(http.MethodGet, path, ActionSettingsGet, func(c *call) error { return getSetting(c, setting) })
		s.route(setting.Verb, path, ActionSettingsUpdate, func(c *call) error { return updateSettings(c, setting.DecodeWith) })
		s.route(http.MethodDelete, path, ActionSettingsUpdate, func(c *call) error { return resetSettings(c, setting.Reset()) })
	}
}

// settings of the index in the path.
func (c *call) settings() (*api.Settings, error) {
	i, err := c.index()
	if err != nil {
		return nil, err
	}
	all := api.DefaultSettings()
	if len(i.Settings) > 0 {
		if err := json.Unmarshal(i.Settings, all); err != nil {
			return nil, fmt.Errorf("read the stored settings of index %s: %w", i.UID, err)
		}
	}
	return all, nil
}

func getSettings(c *call) error {
	all, err := c.settings()
	if err != nil {
		return err
	}
	shown := all.Masked()
	on, err := c.s.opts.Door.Features(c.ctx())
	if on["foreignKeys"] {
		shown.ForeignKeys = json.RawMessage("[]") // nobody can set any
	}
	switch {
	case err != nil:
		return err
	case !on[api.ChatCompletions]:
		shown.Chat = nil
	case shown.Chat == nil:
		shown.Chat = api.DefaultChat()
	}
	return c.json(http.StatusOK, shown)
}

func getSetting(c *call, setting api.Setting) error {
	all, err := c.settings()
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, setting.Get(all))
}

// updateSettings takes, of the settings that belong to experimental features, that of
// chats.
func updateSettings(c *call, decode func(v api.Value, on func(feature string) bool) (*api.SettingsPatch, *api.Error)) error {
	v, err := c.jsonValue()
	if err != nil {
		return err
	}
	on, err := c.s.opts.Door.Features(c.ctx())
	if err != nil {
		return err
	}
	patch, bad := decode(v, func(feature string) bool { return feature == api.ChatCompletions && on[feature] })
	if bad != nil {
		return bad
	}
	return changeSettings(c, patch, false)
}

func resetSettings(c *call, patch *api.SettingsPatch) error { return changeSettings(c, patch, true) }

func changeSettings(c *call, patch *api.SettingsPatch, reset bool) error {
	uid, err := c.indexUID()
	if err != nil {
		return err
	}
	raw, err := api.Marshal(patch)
	if err != nil {
		return err
	}
	options, err := c.writeOptions(nil)
	if err != nil {
		return err
	}
	return c.change(&messages.UpdateSettings{IndexUID: uid, Patch: raw, Reset: reset, WriteOptions: options})
}
