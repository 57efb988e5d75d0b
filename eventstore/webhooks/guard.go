package webhooks

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"syscall"

	"github.com/jointlab/jointlab/domain"
)

// Policy is where the register may be made to call. The zero Policy is for
// servers that strangers may give addresses to: https, to hosts on the public
// internet.
type Policy struct {
	AllowHTTP    bool // without TLS as well
	AllowPrivate bool // any address and port, this machine's own included
}

// Check reports whether an address may be called, and why not, as far as can be seen from the
// address alone. What its host's name leads to is judged when it is called.
func (p Policy) Check(address string) (why domain.Text, ok bool) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return domain.T("不是有效的网址", "this is no URL"), false
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && p.AllowHTTP) {
		return domain.T("网址须以 https:// 开头；本登记簿不允许明文推送", "the URL must begin with https://: this register sends nothing in clear text"), false
	}
	if p.AllowPrivate {
		return domain.Text{}, true
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !public(ip) {
		return notPublic, false
	}
	if port := u.Port(); port != "" && port != map[string]string{"https": "443", "http": "80"}[u.Scheme] {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n < 1024 {
			return domain.T("端口须为 443（http 为 80）或不小于 1024", "the port must be 443 (80 for http) or at least 1024"), false
		}
	}
	return domain.Text{}, true
}

var notPublic = domain.T("该地址不在公共互联网上；本登记簿只向公网地址推送，请换用公网地址，或由管理员以 --webhook-allow-private 启动",
	"the address is not on the public internet, and this register calls no other; give a public one, or have the operator start it with --webhook-allow-private")

// control judges the address that is about to be called, after its name was
// resolved, so that a name that leads elsewhere on its second look-up is of
// no use.
func (p Policy) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !p.AllowPrivate && !public(at.Addr()) {
		return &forbiddenError{address}
	}
	return nil
}

// forbiddenError reports that a host's name led to an address that is not called.
type forbiddenError struct{ address string }

func (e *forbiddenError) Error() string { return fmt.Sprintf("%s is not a public address", e.address) }

// Special addresses, after the registries of RFC 6890. Of IPv6, all outside
// 2000::/3 is special, forms of IPv4 addresses (mapped, NAT64)
// among them.
var (
	special4 = prefixes("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
		"224.0.0.0/4", "240.0.0.0/4",
		"168.63.129.16/32") // a cloud's own service under a public address
	global6  = netip.MustParsePrefix("2000::/3")
	special6 = prefixes("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)

func prefixes(all ...string) (parsed []netip.Prefix) {
	for _, p := range all {
		parsed = append(parsed, netip.MustParsePrefix(p))
	}
	return parsed
}

// public reports whether an address is one of the public internet.
func public(ip netip.Addr) bool {
	special := special4
	if ip.Is6() {
		if ip.Zone() != "" || !global6.Contains(ip) {
			return false
		}
		special = special6
	}
	return ip.IsValid() && !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(ip) })
}
