"""Composition root: reads the files, creates and connects all parts, and supervises them."""

import asyncio
import contextlib
import logging
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from captive_portal.capport import api_uri
from captive_portal.client_identification import link_callers
from captive_portal.gateway_listener import Gateways
from captive_portal.probes import probe_hosts
from captive_portal.server import Portal
from mesh.community_service import CommunityService
from mesh.node_kind import UplinkState
from mesh.own_node_page import LocalFacts
from mesh.service import MeshService
from node.accounting.ledger import UsageBucket, UsageKey
from node.accounts.cards import make_card
from node.accounts.member_passphrases import SALT_BYTES
from node.accounts.registry import AccountRegistry
from node.admin.server import LIMITS, AdminServer
from node.alert_ways.configured import configured_ways
from node.app.account import AccountService
from node.app.admin import AdminService
from node.app.admin_access import AdminAccessService
from node.app.alert_console import AlertCommands
from node.app.alert_service import AlertService
from node.app.alert_sources import AlertSources, node_alerts
from node.app.community import CommunityCommands
from node.app.console import ConsoleCommands, ConsoleService, RuleCommands
from node.app.event_console import EventCommands
from node.app.file_commands import FileCommands
from node.app.gateway_console import GatewayCommands
from node.app.history_console import HistoryCommands
from node.app.history_service import node_history
from node.app.ladder_console import LadderCommands
from node.app.link_usage import node_links
from node.app.measured_check import MeasuredCheck
from node.app.mesh_usage import MeshUsage, configured_peers
from node.app.metrics import MetricSources, MetricsService
from node.app.metrics_console import MetricsCommands
from node.app.network_digest import digest_of
from node.app.next_rules import NextRulesService
from node.app.node_graph import NodeGraphService
from node.app.own_summary import summary_of
from node.app.respondd_documents import respondd_answers
from node.app.roaming_service import roaming_service
from node.app.rule_adoption import RuleAdoption
from node.app.rule_files import RuleFiles
from node.app.shared_erasures import SharedErasures
from node.app.shared_files import SharedFiles
from node.app.shared_kinds import shared_registry
from node.app.status import StatusSnapshot
from node.app.warning_codes import CodedWarning, WarningCode
from node.backup.service import NodeBackups, last_made
from node.clock import SystemClock, local_zone
from node.config import NodeConfig
from node.console import Broadcast, Console
from node.control.capacity_recorder import CapacityRecorder
from node.control.kernel_thread import FlowWatch
from node.control.reconciler import Reconciler
from node.enforcement.firewall_config import firewall_config
from node.enforcement.kernel import linux_kernel
from node.enforcement.neighbour_counting import read_neighbours
from node.enforcement.plan import Kernel, TrafficPlan
from node.errors import NodeError
from node.identity import own_node_id
from node.interface_addresses import mesh_addresses
from node.keyring import derived_key, open_keyring
from node.lan.dns_fallback import dns_fallback
from node.lan.dnsmasq import captive_dns, dnsmasq, lease_file
from node.lan.foreign_servers import ForeignServers
from node.lan.mdns_browser import MdnsBrowser
from node.lan.mdns_services import ServiceList
from node.lan.radvd import radvd
from node.lan.respondd_server import RespondedServer, sides
from node.machine import load_percent, machine_facts, machine_figures, machine_id
from node.machine_sensors import MachineSensors
from node.memory_budget import budget
from node.memory_tuning import memory_allowed, trim_regularly
from node.process import notify_systemd
from node.secret_file import SECRETS_FILE, SecretFile
from node.setup.network_layout import LAN_ADDRESS
from node.storage import repository
from node.storage.data_inventory import WHOLE_INVENTORY
from node.storage.database import Store
from node.storage.history_file import HistoryFile
from node.system_readings import read_system
from node.task_supervision import Part, Parts, supervise
from node.translator import ENGLISH
from node.units import NodeId
from node.uplink.prober import UplinkProber
from node.web.certificate_files import AdminCertificate, admin_certificate_file, portal_certificate
from node.web.connections import Limits
from node.web.https import HttpsListener

log = logging.getLogger("procomu")

TALLY = "bookings"
"""File name in node.run_dir: how many times the counters of this boot were stored."""
STOP_S = 2.5
"""Time limit of a shutdown, in seconds; what is not stored by then is still in the kernel's counters."""


class Node:
    """All parts of one running node."""

    def __init__(
        self,
        config: NodeConfig,
        kernel: Kernel,
        version: str = "",
        config_path: Path = Path("/etc/procomu/node.toml"),
    ) -> None:
        self.backups = NodeBackups(config_path, config, version)
        self.config, self.kernel, self.version, self.parts = config, kernel, version, Parts()
        self.budget = budget(memory_allowed(), has_https=config.portal.certificate is not None)
        self.clock = SystemClock(config.clock.source)
        self.events = Broadcast()
        self.keys = open_keyring(Path(config.community.key_file), Path(config.node.key_file))
        self.machine = machine_id(machine_facts(), self.keys.community_id, own_node_id(self.keys.node))
        self.store = self._store()
        self.archive = repository.StoredArchive(self.store)
        self.community = self._community_service()
        rules, members = Path(config.rules.file), Path(config.members.file)
        self.files = RuleFiles(
            rules, members, Path(config.node.data_dir), self.archive.last_rules, config.uplink.name
        )
        self.reconciler = self._control_loop(own_node_id(self.keys.node))
        is_in_mesh = bool(config.mesh.interfaces or config.mesh.peers)
        share = partial(shared_registry, self.reconciler, self.clock, self.keys.own_key_for("objections"))
        self.shared_registry = share(self.community.version_max) if is_in_mesh else None
        self.mesh = self._mesh_service() if is_in_mesh else None
        self.callers = link_callers(config.lan.interface, lease_file(config))
        self.certificate = portal_certificate(config, self.clock.civil)
        self.lan_services = MdnsBrowser(config.lan.interface, config.lan.address4, config.lan.address6)
        self.adoption = RuleAdoption(
            self.reconciler,
            self.files,
            self.archive,
            self.clock,
            confirm_timeout=config.rules.confirm_timeout,
            portal_runs=lambda: self.parts.of("portal").running,
            admins=lambda: self.admin.access.admins,
        )
        self.shared_files = SharedFiles(
            self.community, self.reconciler, self.files, self.adoption, archive=self.archive, clock=self.clock
        )
        self.app = self._account_service()
        self.history = node_history(
            HistoryFile(Path(config.node.data_dir)),
            self.clock,
            self.reconciler,
            zone=local_zone(),
            published=self.events.published,
            refused=self.app.admission.refused,
            read_sensors=MachineSensors(Path(config.node.data_dir)).read,
            last_backup=partial(last_made, config),
            mesh=self.mesh,
        )
        self.portal = Portal(
            self.app,
            self.callers,
            port=config.portal.port,
            secret=derived_key(self.community.secrets.newest, "portal forms"),
            limits=Limits(buffered_bytes=self.budget.unfinished_bytes),
            connections_max=lambda: self.budget.connections(
                len(self.reconciler.session_table.session_entries)
            ),
            boot=self.clock.boot,
            since_boot=self.clock.monotonic,
        )
        self.community.secrets.on_newest = self._sign_forms
        self.secure = self._https_listener()
        self.gateways = Gateways(
            config.gateways, self.keys, self.reconciler, self.app, self.archive, certificate=self.certificate
        )
        self.links = node_links(
            config, self.reconciler, self.archive, self.mesh, self.gateways.registry, read=read_neighbours
        )
        self.flow_watch = FlowWatch(kernel)
        self.capacity_recorder = CapacityRecorder(
            self.archive, self.clock, self.reconciler.uplink_rate_control
        )
        self.measured_check = MeasuredCheck(self.reconciler)
        self.status_snapshot = self._status_snapshot()
        if self.shared_registry is not None:
            self.shared_registry.name_of_node = self.status_snapshot.distinct_name_of_node
        self.admin_certificate = AdminCertificate(self.certificate, admin_certificate_file(config))
        self.graph = NodeGraphService(
            config,
            self.reconciler.node,
            members=self.community.roster,
            peers=self.mesh.peers if self.mesh else tuple,
            pages=self.mesh.node_pages if self.mesh else dict,
            summaries=self.mesh,
            civil=self.clock.civil,
            gateways=self.gateways.admin.on_map,
            uses=self.links.uses,
        )
        self.respondd = RespondedServer(
            sides(config.mesh.interfaces, config.lan.interface) if config.mesh.respondd else (),
            respondd_answers(self.graph.now, machine_figures, self.clock).answer,
        )
        sources = MetricSources(
            version=version,
            app=self.app,
            graph=self.graph.now,
            read_system=partial(read_system, self.store.path, config.uplink.interface),
            read_backups=self.backups.read_state,
            certificate_ends=lambda: self.certificate.ends if self.certificate else None,
        )
        self.metrics = MetricsService(self.status_snapshot, self.clock, sources)
        self.alerts = self._alert_service()
        self.admin = self._admin_service(self.status_snapshot)
        self.roaming = roaming_service(
            self.shared_registry,
            self.reconciler,
            self.clock,
            secrets=self.community.secrets.all,
            link=self.callers,
            app=self.app,
            people=self.admin.people,
            node_pages=self.mesh.node_pages if self.mesh else dict,
            share_gateways=self.gateways.share,
        )
        self.admin_server = AdminServer(
            self.admin,
            address=config.admin.address,
            port=config.admin.port,
            hosts=frozenset({config.portal.host}),
            translations=self.portal.translations,
            metrics=self.metrics,
        )
        self.admin_https = self._admin_https()
        self.console = self._console(self.status_snapshot)
        self.dnsmasq, self.captive_dns = dnsmasq(config, self.advertised), captive_dns(config)
        self.foreign = ForeignServers(config.lan.interface)
        self.radvd = radvd(config, self.advertised)
        self.dns_fallback = dns_fallback(config, self.clock.monotonic)

    async def run(self) -> None:
        """Until cancelled or a part raises Fatal. The portal and the admin pages start when the first plan is applied."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(supervise("reconcile", self.reconciler.run, self.parts))
            tasks.create_task(supervise("console", self.console.run, self.parts))
            await self.reconciler.ready.wait()
            admitted = self.reconciler.session_table.admitted()
            log.info("the firewall is in force; %d devices are authorized", len(admitted))
            log.info("%s", self.budget.sentence)
            notify_systemd("READY=1")
            for name, part in self._serving():
                if part is not None:
                    tasks.create_task(supervise(name, part, self.parts))

    def _serving(self) -> Iterator[tuple[str, Part | None]]:
        """What runs once the firewall is in force, by name; None for what the settings leave out."""
        config = self.config
        yield "callers", self.callers.run
        yield "portal", self.portal.run
        yield "admin", self._serve_admin
        yield "admin by https", self._serve_admin_https if config.admin.lan else None
        yield "rules", partial(self.files.watch, self.reconciler, self.adoption.record)
        yield "trial of rules", self.adoption.run
        yield "cases of ladders", self.admin.cases.run
        yield "portal by https", self.secure.run if self.secure else None
        yield "gateways", partial(self.gateways.run, self.portal.renderer)
        yield "addresses", self.dnsmasq.run
        yield "names for strangers", self.captive_dns.run
        yield "foreign servers", self.foreign.run if config.lan.dhcp == "managed" else None
        yield "advertisements", self.radvd.run
        yield "names", self.dns_fallback.run
        yield "services", self.lan_services.run if config.services.found else None
        yield "respondd", self.respondd.run if config.mesh.respondd else None
        yield "mesh", self.mesh.run if self.mesh else None
        yield "use of links", self.links.run if self.mesh else None
        yield "people", self.shared_registry.run if self.shared_registry else None
        yield "devices of other nodes", self.roaming.run if self.roaming else None
        yield "community", self.community.run
        yield "files of the community", self.shared_files.run
        yield "connections", self.flow_watch.run
        yield "history", self.history.run
        yield "record of the line", self.capacity_recorder.run
        yield "check of the line", self.measured_check.run
        yield "memory", trim_regularly
        yield "alerts", self.alerts.run

    def close(self) -> None:
        """After `run`: leaves sessions open or closes them, as `stop.sessions` says."""
        self.dns_fallback.stop()
        if self.config.stop.sessions == "close":
            self.shut(self.kernel)
            for each in (self.dnsmasq, self.captive_dns, self.radvd):
                each.stop()
        self.store.close()
        self.callers.close()

    def portal_url(self) -> str:
        """The portal's https URL, while devices would trust its certificate; else empty."""
        return self.certificate.url if self.certificate else ""

    def advertised(self) -> str:
        """The captive portal API's URI for DHCP and router advertisements (RFC 8910); empty when it is not advertised."""
        return api_uri(self.portal_url()) if self.config.portal.advertise else ""

    def warned(self) -> Iterator[CodedWarning]:
        found: dict[WarningCode, Iterable[str]] = {
            "address_claims": self.callers.warnings(),
            "certificate": self.certificate.warnings if self.certificate else (),
            "admin_certificate": self.admin_certificate.warnings,
            "dns": self.dns_fallback.warnings(),
            "foreign_servers": self.foreign.warnings(),
            "services": filter(None, (self.lan_services.warning,)),
            "respondd": self.respondd.warnings(),
            "alerts": self.alerts.warnings(),
            "history": self.history.warnings(),
            "gateways": self.gateways.registry.warnings(),
            "mesh": self.mesh.warnings() if self.mesh else (),
            "community": self.community.warnings(),
            "shared_files": self.shared_files.warnings(),
        }
        return ((code, text) for code, texts in found.items() for text in texts)

    def shut(self, kernel: Kernel) -> None:
        """Blocks all devices; their last bytes are booked at the next start."""
        with contextlib.suppress(NodeError):
            now = self.clock.monotonic()
            marks = kernel.observe(now).marks
            kernel.apply(TrafficPlan(firewall_config(self.config, probe_hosts()), {}, marks), now)

    def give_up(self) -> None:
        """Ends the process now, even if something hangs: what was not stored is still in the kernel's counters."""
        log.error(
            "stopping took longer than %g s; what is not stored yet is booked at the next start", STOP_S
        )
        if self.config.stop.sessions == "close":
            self.shut(linux_kernel(flow_offload=self.config.uplink.flow_offload))
        os._exit(0)

    async def _serve_admin(self) -> None:
        await self.admin.recall()
        await self.admin_server.run()

    async def _serve_admin_https(self) -> None:
        await asyncio.to_thread(self.admin_certificate.look)
        await self.admin_server.ready.wait()
        await self.admin_https.run()

    def _admin_https(self) -> HttpsListener:
        return HttpsListener(
            self.admin_certificate,
            self.admin_server.application,
            self.callers.caller,
            port=self.config.admin.https_port,
            setting="admin.https_port",
            limits=LIMITS,
            refusal=self.admin_server.refusal,
            is_fair=True,
        )

    def _store(self) -> Store:
        node = self.config.node
        return Store(
            Path(node.data_dir) / "procomu.db",
            keys=Path(node.key_file).parent,
            key=self.keys.key_for("database journal"),
            scratch=Path(node.run_dir),
        )

    def _booked(self, changed: Mapping[UsageKey, UsageBucket]) -> None:
        if self.mesh is not None:
            self.mesh.publish(
                (key.incarnation, key.day, key.account, bucket) for key, bucket in changed.items()
            )

    def _sign_forms(self) -> None:
        """A node that was removed knows the secret of before: its tokens do nothing."""
        secret, *former = (derived_key(each, "portal forms") for each in self.community.secrets.all())
        self.portal.sign_with(secret, former[:1])

    async def _keep_pages(self) -> None:
        if self.mesh is not None:
            await self.mesh.persist_pages()

    def _https_listener(self) -> HttpsListener | None:
        if self.certificate is None:
            return None
        return HttpsListener(
            self.certificate,
            self.portal.application,
            self.callers.caller,
            port=self.config.portal.https_port,
            streams=self.portal.streams,
        )

    def _community_service(self) -> CommunityService:
        return CommunityService(
            own=own_node_id(self.keys.node),
            listed=self.config.community.nodes,
            store=repository.StoredStatements(self.store),
            secret=self.keys.community_secret,
            secret_store=SecretFile(Path(self.config.node.data_dir) / SECRETS_FILE),
        )

    def _control_loop(self, node: NodeId) -> Reconciler:
        config, (active_ruleset, member_directory) = self.config, self.files.open()
        registry = AccountRegistry(
            keys=lambda: tuple(derived_key(each, "vouchers") for each in self.community.secrets.all()),
            community=self.keys.community_id,
            nodes=self.community.roster,
            member_directory=lambda: self.reconciler.effective_policy.member_directory,
            guest_account=self.keys.guest_account,
            random=secrets.token_bytes,
        )
        days, tally = config.admin.events_days, Path(config.node.run_dir, TALLY)
        return Reconciler(
            kernel=self.kernel,
            repository=repository.StoredRepository(self.store, tally, days),
            clock=self.clock,
            prober=UplinkProber(config.uplink.interface, config.uplink.probe, clock=self.clock.microseconds),
            firewall=firewall_config(config, probe_hosts()),
            node=node,
            active_ruleset=active_ruleset,
            member_directory=member_directory,
            registry=registry,
            guest_account=self.keys.guest_account,
            session_ms=self.config.portal.session,
            node_name=self.config.node.name,
            machine=self.machine,
            guests_max=self.budget.devices,
            on_booked=self._booked,
            keep_pages=self._keep_pages,
            publish_event=self.events.publish,
            report_alive=self._ticked,
        )

    def _ticked(self) -> None:
        """About once a second, while the control loop does its work."""
        notify_systemd("WATCHDOG=1")
        self.history.tick()

    def _mesh_service(self) -> MeshService:
        config, reconciler = self.config, self.reconciler
        return MeshService(
            key=self.keys.node,
            community_id=self.keys.community_id,
            name=config.node.name,
            roster=self.community.roster,
            usage_ledger=MeshUsage(reconciler),
            page_cache=repository.StoredPageCache(self.store, reconciler.today),
            machine=self.machine,
            network_time=self.clock,
            community=self.community,
            shared_records=self.shared_registry,
            local_facts=self._local_facts,
            own_summary=lambda: summary_of(self.history, len(self.status_snapshot.warnings())),
            interfaces=config.mesh.interfaces,
            port=config.mesh.port,
            configured_peers=configured_peers(config.mesh),
        )

    def _local_facts(self) -> LocalFacts:
        """What this node's page says of it, beside its links."""
        state: UplinkState = "up" if self.dns_fallback.upstream.answers else "down"
        line = self.config.uplink.name or self.reconciler.active_ruleset.own.uplink_name
        warnings = len(self.status_snapshot.warnings())
        return LocalFacts(self.version, (line, state), load_percent(), warnings, self.links.through)

    def _status_snapshot(self) -> StatusSnapshot:
        return StatusSnapshot(
            config=self.config,
            reconciler=self.reconciler,
            files=self.files,
            adoption=self.adoption,
            parts=self.parts,
            peers=self.mesh.peers if self.mesh else tuple,
            roster=self.community.roster,
            waiting=self.app.waiting,
            warned=self.warned,
            table_use=lambda: self.flow_watch.seen,
            measured=lambda: self.measured_check.findings,
            losses=lambda: self.store.losses,
            key_copies=self.mesh.key_copies if self.mesh else tuple,
            removed_nodes=self.community.removed,
            node_pages=self.mesh.node_pages if self.mesh else dict,
        )

    def _account_service(self) -> AccountService:
        config = self.config
        return AccountService(
            self.reconciler,
            config,
            self.clock,
            new_salt=lambda: secrets.token_bytes(SALT_BYTES),
            kept=WHOLE_INVENTORY,
            services=ServiceList(config.services.offered, self.lan_services.found).services,
            portal_url=self.portal_url,
            down_since=lambda: self.dns_fallback.upstream.silent_since,
            intervals_of=repository.IntervalArchive(self.store.path).of_account,
            removed_nodes=self.community.removed,
            archive=self.archive,
            erasures=SharedErasures(self.reconciler, self.shared_registry, self.archive.devices),
            next_rules=NextRulesService(
                self.reconciler,
                self.adoption,
                self.clock,
                confirmed=lambda: self.files.confirmed(self.reconciler),
                read_intervals=repository.IntervalArchive(self.store.path).read_local,
                node=config.node.name,
            ),
        )

    def _alert_service(self) -> AlertService:
        sources = AlertSources(
            readings=self.metrics.readings,
            graph=self.graph.now if self.mesh is not None else None,
            history=self.history,
            clock=self.clock,
            zone=self.history.zone,
        )
        return node_alerts(
            self.config,
            self.archive,
            self.clock,
            sources=sources,
            app=self.app,
            ways=configured_ways,
            translations=lambda tag: self.portal.translations.get(tag, ENGLISH),
            random=secrets.token_bytes,
        )

    def _admin_service(self, status_snapshot: StatusSnapshot) -> AdminService:
        return AdminService(
            self.reconciler,
            status_snapshot,
            self.files,
            self.archive,
            self.clock,
            self.config,
            access=AdminAccessService(
                self.archive,
                self.clock,
                passphrases=self.app.passphrases,
                key=self.keys.own_key_for("browsers of admins"),
                random=secrets.token_bytes,
            ),
            adoption=self.adoption,
            shared_files=self.shared_files,
            fingerprint=lambda: self.admin_certificate.fingerprint,
            backups=self.backups,
            sign_card=partial(make_card, self.keys.node, self.keys.community_id),
            portal_url=self.portal_url,
            languages=lambda: {tag: each.language.name for tag, each in self.portal.translations.items()},
            read_intervals=repository.IntervalArchive(self.store.path).read_local,
            graph=self.graph.now,
            summaries=self.graph.summaries,
            history=self.history,
            gateways=self.gateways.admin,
            alerts=self.alerts,
            community=self.community,
            addresses=lambda: mesh_addresses(self.config.mesh.interfaces, self.config.mesh.port),
            setup_url=f"http://{LAN_ADDRESS}/",
        )

    def _console(self, status_snapshot: StatusSnapshot) -> Console:
        answers = ConsoleService(
            reconciler=self.reconciler,
            status_snapshot=status_snapshot,
            adoption=self.adoption,
            parts=self.parts,
            guest=self.app.guest,
            digest=lambda: digest_of(self.graph.now()),
            admin_link=self.admin.new_link,
            fingerprint=lambda: self.admin_certificate.fingerprint,
            rules_file=self.config.rules.file,
            budget=self.budget,
            started=self.clock.civil(),
            version=self.version,
        )
        commands = (
            answers,
            ConsoleCommands(self.admin.vouchers, self.admin.members, self.admin.site),
            RuleCommands(self.adoption),
            CommunityCommands(self.community, self.shared_registry, self.links.uses),
            FileCommands(self.shared_files),
            LadderCommands(self.admin.cases),
            GatewayCommands(self.gateways.admin),
            HistoryCommands(self.history),
            EventCommands(self.admin.events),
            self.graph,
            MetricsCommands(self.admin, self.metrics.text),
            AlertCommands(self.alerts),
        )
        every = {name: answer for each in commands for name, answer in each.all().items()}
        return Console(self.config.node.console_socket, every, self.events)
