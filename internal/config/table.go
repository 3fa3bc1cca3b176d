package config

import "time"

// Variable is one row of the table.
type Variable struct {
	Name    string // of the environment variable
	Flag    string // of the flag of "serve", or ""
	Default string
	Doc     string
	Secret  bool // never printed
	set     func(c *Config, v string) error
}

// Table lists every variable that this package reads, in the order of the
// documentation.
func Table() []Variable { return append([]Variable(nil), table...) }

var table = []Variable{
	{Name: "PORT", Flag: "port", Default: "3000", Doc: "Port to listen on; 0 takes a free one.",
		set: number(0, 65535, func(c *Config) *int { return &c.Port })},
	{Name: "HOST", Flag: "host", Default: "", Doc: "Address to listen on; empty is all of them.",
		set: text(func(c *Config) *string { return &c.Host })},
	{Name: "ENV", Flag: "env", Default: "prod", Doc: "`dev` also serves /docs and /openapi.json.",
		set: oneOf(func(c *Config) *string { return &c.Env }, "prod", "dev")},
	{Name: "DATA_DIR", Flag: "data-dir", Default: "./data", Doc: "Folder of everything that must survive a restart.",
		set: folder(func(c *Config) *string { return &c.DataDir })},

	{Name: "DATABASE_URL", Flag: "database-url", Secret: true,
		Doc: "`postgres://user:password@host/name` or `sqlite:///folder/portico.db`; empty is portico.db in DATA_DIR.",
		set: database},
	{Name: "DATABASE_TYPE", Doc: "With the five below, instead of DATABASE_URL: `postgresql`.", set: nothing},
	{Name: "DATABASE_USER", Doc: "User of the database.", set: nothing},
	{Name: "DATABASE_PASSWORD", Secret: true, Doc: "Password of the database.", set: nothing},
	{Name: "DATABASE_HOST", Doc: "Host of the database.", set: nothing},
	{Name: "DATABASE_PORT", Doc: "Port of the database.", set: nothing},
	{Name: "DATABASE_NAME", Doc: "Name of the database.", set: nothing},

	{Name: "WEBUI_SECRET_KEY", Secret: true,
		Doc: "Signs sessions, at least 32 characters; empty makes one and keeps it in DATA_DIR/secret.key. Servers on one database need the same.",
		set: secret},
	{Name: "WEBUI_AUTH", Default: "true", Doc: "`false` lets everybody in as an administrator: for one person's own machine. A public name of the server must then be in WEBUI_URL, and pages of other origins in CORS_ALLOW_ORIGIN.",
		set: boolean(func(c *Config) *bool { return &c.Auth })},
	{Name: "WEBUI_ADMIN_EMAIL", Doc: "With WEBUI_ADMIN_PASSWORD: the administrator to make when there is nobody yet.",
		set: text(func(c *Config) *string { return &c.AdminEmail })},
	{Name: "WEBUI_ADMIN_PASSWORD", Secret: true, Doc: "See WEBUI_ADMIN_EMAIL.",
		set: text(func(c *Config) *string { return &c.AdminPassword })},
	{Name: "WEBUI_ADMIN_NAME", Default: "Admin", Doc: "See WEBUI_ADMIN_EMAIL.",
		set: text(func(c *Config) *string { return &c.AdminName })},
	{Name: "PASSWORD_HASH_ALGORITHM", Default: "argon2id", Doc: "How new passwords are kept: `argon2id` or `bcrypt`. Both kinds always verify.",
		set: oneOf(func(c *Config) *string { return &c.PasswordHash }, "argon2id", "argon2", "bcrypt")},
	{Name: "CUSTOM_API_KEY_HEADER", Default: "x-api-key", Doc: "Header that may carry an API key beside Authorization.",
		set: text(func(c *Config) *string { return &c.KeyHeader })},
	{Name: "WEBUI_AUTH_TRUSTED_EMAIL_HEADER", Doc: "Header in which a proxy of TRUSTED_PROXIES names the caller's e-mail address.",
		set: text(func(c *Config) *string { return &c.Trusted.Email })},
	{Name: "WEBUI_AUTH_TRUSTED_NAME_HEADER", Doc: "Header with the caller's name.",
		set: text(func(c *Config) *string { return &c.Trusted.Name })},
	{Name: "WEBUI_AUTH_TRUSTED_GROUPS_HEADER", Doc: "Header with the caller's groups, separated by commas.",
		set: text(func(c *Config) *string { return &c.Trusted.Groups })},
	{Name: "WEBUI_AUTH_TRUSTED_ROLE_HEADER", Doc: "Header with the caller's role.",
		set: text(func(c *Config) *string { return &c.Trusted.Role })},
	{Name: "TRUSTED_PROXIES", Doc: "Addresses or networks, separated by commas, whose X-Forwarded-For and trusted headers are believed.",
		set: networks},
	{Name: "CORS_ALLOW_ORIGIN", Default: "*", Doc: "Origins of web pages that may call, separated by `;`. `*` allows all, without cookies.",
		set: list(";", func(c *Config) *[]string { return &c.CORSOrigins })},
	{Name: "WEBUI_AUTH_COOKIE_SECURE", Default: "false", Doc: "Send the session cookie over HTTPS only.",
		set: boolean(func(c *Config) *bool { return &c.CookieSecure })},
	{Name: "WEBUI_AUTH_COOKIE_SAME_SITE", Default: "lax", Doc: "SameSite of the session cookie.",
		set: oneOf(func(c *Config) *string { return &c.CookieSameSite }, "lax", "strict", "none")},
	{Name: "BYPASS_MODEL_ACCESS_CONTROL", Default: "false", Doc: "Every verified user may use every model.",
		set: boolean(func(c *Config) *bool { return &c.AllModels })},
	{Name: "BYPASS_ADMIN_ACCESS_CONTROL", Default: "true", Doc: "Administrators may use what was not granted to them.",
		set: boolean(func(c *Config) *bool { return &c.AdminSeesAll })},
	{Name: "ENABLE_OPENAI_API_PASSTHROUGH", Default: "false",
		Doc: "Every verified user may make any call of a provider's API below /openai, with the key of the connection: also one that lists or deletes files of others.",
		set: boolean(func(c *Config) *bool { return &c.OpenAIPassthrough })},

	{Name: "GLOBAL_LOG_LEVEL", Flag: "log-level", Default: "info", Doc: "`debug`, `info`, `warn` or `error`.",
		set: level},
	{Name: "LOG_LEVEL", Doc: "The same; wins over GLOBAL_LOG_LEVEL.", set: optional(level)},
	{Name: "LOG_FORMAT", Flag: "log-format", Default: "auto", Doc: "`text` or `json`; `auto` is text on a terminal.",
		set: oneOf(func(c *Config) *string { return &c.LogFormat }, "auto", "text", "json")},
	{Name: "METRICS_ADDR", Flag: "metrics-addr", Doc: "Address such as 127.0.0.1:9090 where /metrics is served in Prometheus' format; empty is off.",
		set: address(func(c *Config) *string { return &c.MetricsAddr })},

	{Name: "AIOHTTP_CLIENT_TIMEOUT", Default: "3600", Doc: "Seconds that one answer of an upstream may take in all; empty is the default.",
		set: seconds(time.Hour, func(c *Config) *time.Duration { return &c.UpstreamTotal })},
	{Name: "UPSTREAM_CONNECT_TIMEOUT", Default: "5", Doc: "Seconds until an upstream's name is looked up and a connection stands.",
		set: seconds(5*time.Second, func(c *Config) *time.Duration { return &c.UpstreamConnect })},
	{Name: "UPSTREAM_FIRST_BYTE_TIMEOUT", Default: "300", Doc: "Seconds until the first byte of an upstream's answer.",
		set: seconds(5*time.Minute, func(c *Config) *time.Duration { return &c.UpstreamFirstByte })},
	{Name: "UPSTREAM_IDLE_TIMEOUT", Default: "60", Doc: "Seconds between two events of a streamed answer.",
		set: seconds(time.Minute, func(c *Config) *time.Duration { return &c.UpstreamIdle })},
	{Name: "AIOHTTP_CLIENT_TIMEOUT_MODEL_LIST", Default: "10", Doc: "Seconds that an upstream may take to list its models.",
		set: seconds(10*time.Second, func(c *Config) *time.Duration { return &c.UpstreamList })},
	{Name: "CLIENT_WRITE_TIMEOUT", Default: "30", Doc: "Seconds that a client may refuse to read its answer before it is given up.",
		set: seconds(30*time.Second, func(c *Config) *time.Duration { return &c.ClientWrite })},
	{Name: "SHUTDOWN_TIMEOUT", Flag: "shutdown-timeout", Default: "30", Doc: "Seconds that open streams have to end after SIGTERM.",
		set: seconds(30*time.Second, func(c *Config) *time.Duration { return &c.ShutdownTimeout })},
	{Name: "MAX_FILES_PER_USER", Default: "10000", Doc: "Files that one person may keep; 0 is any number.",
		set: number(0, 1<<30, func(c *Config) *int { return &c.PersonFiles })},
	{Name: "MAX_FILE_SPACE_PER_USER", Default: "20480", Doc: "MiB that one person's files may take together; 0 is any.",
		set: number(0, 1<<30, func(c *Config) *int { return &c.PersonSpace })},
	{Name: "DISK_RESERVE", Default: "512", Doc: "MiB of the disk of DATA_DIR that uploads leave free, so that the database can go on; 0 is none.",
		set: number(0, 1<<30, func(c *Config) *int { return &c.DiskReserve })},
	{Name: "MAX_STREAMS", Default: "0", Doc: "Streams that may be open at once; 0 is a third of the limit on open files.",
		set: number(0, 1<<20, func(c *Config) *int { return &c.MaxStreams })},
}
