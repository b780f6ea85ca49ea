"""CloudFormation as it goes on AWS: in the background, event by event, with roll back, retries and dependents."""

import threading
import time
from collections.abc import Callable
from typing import Any

import moto.cloudformation.models as moto_stacks
import moto.ec2.models.internet_gateways as moto_gateways
import moto.ec2.models.subnets as moto_subnets
import moto.ec2.models.vpcs as moto_vpcs
from moto.cloudformation.exceptions import AlreadyExistsException, ValidationError
from moto.cloudformation.parsing import clean_json, get_model_map
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.exceptions import ServiceException
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.models.elastic_ip_addresses import ElasticAddress

from tests.emulator import handlers, templates
from tests.emulator.calls import REGION
from tests.emulator.faults import Faults
from tests.emulator.roles import Ask, Roles
from tests.emulator.world import World

LARGEST_TEMPLATE = 51_200
"""Bytes of a template in the call itself."""


class Refusal(ServiceException):
    """An error with its code and its words."""


class Stopped(Exception):
    """The stack is being deleted while it is being created."""


class Stacks:
    """What creates and deletes stacks in the background."""

    def __init__(self, world: World, faults: Faults, lock: Any, roles: Roles) -> None:
        self.world = world
        self.roles = roles
        self.faults = faults
        self.lock = lock
        self.asked = threading.local()
        """What the call says and moto does not pass on."""
        self.by_token: dict[str, Any] = {}
        self.threads: list[threading.Thread] = []

    # ── create ──

    def create(self, backend: Any, name: str, template: str, parameters: dict[str, Any], **more: Any) -> Any:
        token = getattr(self.asked, "token", None)
        if token and (before := self.by_token.get(token)) and before.name == name:
            return before
        if any(stack.name == name for stack in backend.stacks.values()):
            raise AlreadyExistsException(f"Stack [{name}] already exists")
        if len(template) > LARGEST_TEMPLATE and not getattr(self.asked, "by_url", False):
            raise ValidationError(
                name,
                message="1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member "
                f"must have length less than or equal to {LARGEST_TEMPLATE}",
            )
        stack_id = moto_stacks.generate_stack_id(name, backend.region_name, backend.account_id)  # type: ignore[attr-defined]
        more = {k: v for k, v in more.items() if k not in ("cross_stack_resources",)}
        stack: Any = moto_stacks.Stack(  # type: ignore[abstract]
            stack_id=stack_id,
            name=name,
            template=template,
            parameters=parameters,
            account_id=backend.account_id,
            region_name=backend.region_name,
            cross_stack_resources=backend.exports,
            **more,
        )
        self._check(stack)
        self._check_rights(stack)
        stack.created = []
        stack.stop = threading.Event()
        stack.on_failure = getattr(self.asked, "on_failure", "ROLLBACK")
        backend.stacks[stack_id] = stack
        if token:
            self.by_token[token] = stack
        stack.resource_map.tags.update(
            {"aws:cloudformation:stack-name": name, "aws:cloudformation:stack-id": stack_id}
        )
        self._become(stack, "CREATE_IN_PROGRESS", "User Initiated")
        stack.thread = self._in_background(self._create, backend, stack)
        return stack

    def _check(self, stack: Any) -> None:
        kinds = {r["Type"] for r in stack.template_dict["Resources"].values()}
        if unknown := kinds - get_model_map().keys():
            raise ValidationError(
                stack.name, message=f"Template format error: Unrecognized resource types: {sorted(unknown)}"
            )
        capabilities = set(getattr(self.asked, "capabilities", []))
        named = any(
            r["Type"].startswith("AWS::IAM::")
            and any(
                k in r.get("Properties", {}) for k in ("RoleName", "InstanceProfileName", "ManagedPolicyName")
            )
            for r in stack.template_dict["Resources"].values()
        )
        wanted = {"CAPABILITY_NAMED_IAM"} if named else {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"}
        if any(k.startswith("AWS::IAM::") for k in kinds) and not capabilities & wanted:
            raise Refusal(
                "InsufficientCapabilitiesException", f"Requires capabilities : [{sorted(wanted)[0]}]"
            )

    def _check_rights(self, stack: Any) -> None:
        """Refuse, before anything is made, what the template itself asks for with its caller's rights."""
        images = [
            p["Default"] for p in stack.template_dict.get("Parameters", {}).values() if "SSM" in p["Type"]
        ]
        said = self.roles.refuses_stack(handlers.OF_THE_TEMPLATE)
        for image in images:
            arn = f"arn:aws:ssm:{REGION}::parameter{image}"
            said = said or self.roles.refuses_owner(Ask("ssm:GetParameters", arn))
        if said:
            raise Refusal("AccessDenied", said)

    def _check_handler(self, stack: Any, name: str, told: Any, verb: str) -> None:
        """Refuse what the handler of a resource may not do with the rights of the stack's maker."""
        bound = told.get("Properties", {}).get("PermissionsBoundary")
        bound = clean_json(bound, stack.resource_map) if bound else None
        said = self.roles.refuses_resource(
            stack.name, name, told["Type"], verb, bound if isinstance(bound, str) else ""
        )
        if said:
            raise Refusal("AccessDenied", said)

    def _create(self, backend: Any, stack: Any) -> None:
        order = templates.in_order(stack.template_dict["Resources"])
        for position, name in enumerate(order):
            try:
                if stack.stop.is_set():
                    return
                self._create_one(stack, name)
            except Stopped:
                return
            except Exception as error:
                self._event(stack, name, "CREATE_FAILED", _reason(error))
                if position + 1 < len(order):  # AWS makes several at a time: the others are given up
                    self._event(stack, order[position + 1], "CREATE_IN_PROGRESS")
                    self._event(stack, order[position + 1], "CREATE_FAILED", "Resource creation cancelled")
                self._fail(backend, stack, name)
                return
        with self.lock:
            self._become(stack, "CREATE_COMPLETE")

    def _create_one(self, stack: Any, name: str) -> None:
        told = stack.template_dict["Resources"][name]
        condition = told.get("Condition")
        if condition and not stack.resource_map.lazy_condition_map[condition]:
            return
        self._event(stack, name, "CREATE_IN_PROGRESS")
        self._meet_fault(f"create {told['Type']}", stack)
        self._check_handler(stack, name, told, "create")
        with self.lock:
            resource = stack.resource_map[name]
            stack.created.append(name)
            if isinstance(resource, TaggedEC2Resource):
                made: Any = resource
                tags = {**stack.resource_map.tags, "aws:cloudformation:logical-id": name}
                tagged = made.id if isinstance(resource, ElasticAddress) else made.physical_resource_id
                made.ec2_backend.create_tags([tagged], tags)
        if told["Type"] == "AWS::EC2::Instance":
            self._wait(stack, resource, "running")
        self._event(stack, name, "CREATE_COMPLETE")

    def _meet_fault(self, action: str, stack: Any) -> None:
        for fault in self.faults.take("stack", action, None):
            stack.stop.wait(fault.delay_s)
            if fault.code:
                raise Refusal(fault.code, fault.message or "made by the emulator")

    def _wait(self, stack: Any, instance: Any, state: str) -> None:
        until = time.monotonic() + 120
        while instance.state != state:
            if stack.stop.is_set() and state == "running":
                raise Stopped
            if time.monotonic() > until or (state == "running" and instance.state == "terminated"):
                raise Refusal(
                    "NotStabilized", f"Resource {instance.id} did not stabilize: it is {instance.state}"
                )
            time.sleep(0.01)

    def _fail(self, backend: Any, stack: Any, name: str) -> None:
        reason = f"The following resource(s) failed to create: [{name}]. "
        if stack.on_failure == "DO_NOTHING":
            self._become(stack, "CREATE_FAILED", reason)
            return
        if stack.on_failure == "DELETE":
            self._become(stack, "DELETE_IN_PROGRESS", f"{reason}Delete requested by user.")
            self._delete_all(backend, stack, "DELETE")
            return
        self._become(stack, "ROLLBACK_IN_PROGRESS", f"{reason}Rollback requested by user.")
        self._delete_all(backend, stack, "ROLLBACK")

    # ── delete ──

    def delete(self, backend: Any, name: str) -> None:
        stack = backend.stacks.get(name) or next((s for s in backend.stacks.values() if s.name == name), None)
        if stack is None or stack.status == "DELETE_IN_PROGRESS":
            return
        stack.stop.set()
        before = stack.thread
        self._become(stack, "DELETE_IN_PROGRESS", "User Initiated")

        def work() -> None:
            before.join()
            self._become(stack, "DELETE_IN_PROGRESS", None, quiet=True)
            self._delete_all(backend, stack, "DELETE")

        stack.thread = self._in_background(work)

    def _delete_all(self, backend: Any, stack: Any, verb: str) -> None:
        failed: list[str] = []
        for name in list(reversed(stack.created)):
            told = stack.template_dict["Resources"][name]
            if told.get("DeletionPolicy") == "Retain" and verb == "DELETE":
                stack.created.remove(name)
                self._event(stack, name, "DELETE_SKIPPED")
                continue
            try:
                self._delete_one(stack, name, told)
            except Exception as error:
                failed.append(name)
                self._event(stack, name, "DELETE_FAILED", _reason(error))
        with self.lock:
            if failed:
                reason = f"The following resource(s) failed to delete: [{', '.join(failed)}]. "
                self._become(stack, f"{verb}_FAILED", reason)
                return
            self._become(stack, f"{verb}_COMPLETE")
            if verb == "DELETE":
                backend.stacks.pop(stack.stack_id, None)
                backend.deleted_stacks[stack.stack_id] = stack

    def _delete_one(self, stack: Any, name: str, told: Any) -> None:
        resource = stack.resource_map._parsed_resources[name]
        self._event(stack, name, "DELETE_IN_PROGRESS")
        self._meet_fault(f"delete {told['Type']}", stack)
        self._check_handler(stack, name, told, "delete")
        with self.lock:
            templates.delete(
                resource,
                {"Properties": {}, **told},
                stack.resource_map._account_id,
                stack.resource_map._region_name,
            )
        if told["Type"] == "AWS::EC2::Instance":
            self._wait(stack, resource, "terminated")
        stack.created.remove(name)
        stack.resource_map._parsed_resources.pop(name)
        self._event(stack, name, "DELETE_COMPLETE")

    # ── telling ──

    def _become(self, stack: Any, status: str, reason: str | None = None, quiet: bool = False) -> None:
        stack.status = status
        stack.stack_status_reason = reason
        if not quiet:
            stack._add_stack_event(status, resource_status_reason=reason)

    def _event(self, stack: Any, name: str, status: str, reason: str | None = None) -> None:
        resource = stack.resource_map._parsed_resources.get(name)
        stack.events.append(
            moto_stacks.Event(
                stack_id=stack.stack_id,
                stack_name=stack.name,
                logical_resource_id=name,
                physical_resource_id=getattr(resource, "physical_resource_id", "") or "",
                resource_type=stack.template_dict["Resources"][name]["Type"],
                resource_status=status,
                resource_status_reason=reason,
                resource_properties=None,
            )
        )

    def _in_background(self, work: Callable[..., None], *args: Any) -> threading.Thread:
        def guarded() -> None:
            try:
                work(*args)
            except Exception as error:
                self.world.complain(f"{work}: {error!r}")
                raise

        self.threads = [t for t in self.threads if t.is_alive()]
        thread = threading.Thread(target=guarded, daemon=True)
        self.threads.append(thread)
        thread.start()
        return thread

    def clear(self, backend: Any) -> None:
        """Stop what is under way; moto forgets the stacks."""
        for stack in list(backend.stacks.values()):
            stack.stop.set()
        for thread in self.threads:
            thread.join(100)
        self.threads.clear()
        self.by_token.clear()


def _reason(error: Exception) -> str:
    message = getattr(error, "message", None) or str(error) or repr(error)
    code = getattr(error, "code", "")
    told = f" (Service: Ec2, Status Code: 400, Error Code: {code})" if isinstance(code, str) and code else ""
    return f'Resource handler returned message: "{message}{told}"'


def install(world: World, faults: Faults, lock: Any, roles: Roles) -> Stacks:
    """Put the hooks into moto; once a process."""
    templates.install()
    stacks = Stacks(world, faults, lock, roles)
    backend = moto_stacks.CloudFormationBackend
    backend.create_stack = stacks_method(stacks.create)  # type: ignore[method-assign]
    backend.delete_stack = stacks_method(stacks.delete)  # type: ignore[method-assign]
    _note_the_call(stacks)
    _tell_only_what_is_there()
    _keep_what_is_used()
    return stacks


def stacks_method(function: Callable[..., Any]) -> Callable[..., Any]:
    """A method of the backend that passes the backend on."""

    def method(self: Any, *args: Any, **more: Any) -> Any:
        return function(self, *args, **more)

    return method


def _note_the_call(stacks: Stacks) -> None:
    original = CloudFormationResponse.create_stack

    def create_stack(self: Any) -> Any:
        stacks.asked.token = self._get_param("ClientRequestToken")
        stacks.asked.by_url = bool(self._get_param("TemplateURL"))
        stacks.asked.capabilities = self._get_param("Capabilities", []) or []
        disabled = str(self._get_param("DisableRollback")).lower() == "true"
        stacks.asked.on_failure = self._get_param("OnFailure") or ("DO_NOTHING" if disabled else "ROLLBACK")
        return original(self)

    CloudFormationResponse.create_stack = create_stack  # type: ignore[method-assign]


def _tell_only_what_is_there() -> None:
    """moto makes a resource when it is asked about; here asking changes nothing."""
    outputs = moto_stacks.Stack.outputs.fget  # type: ignore[attr-defined]

    def told_outputs(self: Any) -> Any:
        return outputs(self) if self.status == "CREATE_COMPLETE" else None

    def told_resources(self: Any) -> Any:
        known = self.resource_map._parsed_resources
        return [known[name] for name in list(getattr(self, "created", [])) if name in known]

    moto_stacks.Stack.outputs = property(told_outputs)  # type: ignore[assignment, method-assign]
    moto_stacks.Stack.stack_resources = property(told_resources)  # type: ignore[assignment, method-assign]


def _keep_what_is_used() -> None:
    """Dependents that AWS looks at and moto does not."""

    def instances(backend: Any) -> list[Any]:
        return [i for i in backend.all_instances() if i.state != "terminated"]

    delete_subnet = moto_subnets.SubnetBackend.delete_subnet
    delete_vpc = moto_vpcs.VPCBackend.delete_vpc
    detach = moto_gateways.InternetGatewayBackend.detach_internet_gateway

    def kept_subnet(self: Any, subnet_id: str) -> Any:
        used = any(nic.subnet.id == subnet_id for i in instances(self) for nic in i.nics.values())
        if used or any(nic.subnet.id == subnet_id for nic in self.enis.values()):
            raise Refusal(
                "DependencyViolation", f"The subnet '{subnet_id}' has dependencies and cannot be deleted."
            )
        return delete_subnet(self, subnet_id)

    def kept_vpc(self: Any, vpc_id: str) -> Any:
        gateways = any(g.vpc and g.vpc.id == vpc_id for g in self.internet_gateways.values())
        own = [g for g in self.groups.get(vpc_id, {}).values() if g.name != "default"]
        if gateways or own:
            raise Refusal(
                "DependencyViolation", f"The vpc '{vpc_id}' has dependencies and cannot be deleted."
            )
        return delete_vpc(self, vpc_id)

    def kept_attached(self: Any, internet_gateway_id: str, vpc_id: str) -> Any:
        if any(i.vpc_id == vpc_id and i.public_ip and i.state == "running" for i in instances(self)):
            raise Refusal(
                "DependencyViolation",
                f"Network {vpc_id} has some mapped public address(es). Please unmap those public address(es) before "
                "detaching the gateway.",
            )
        return detach(self, internet_gateway_id, vpc_id)

    moto_subnets.SubnetBackend.delete_subnet = kept_subnet  # type: ignore[method-assign]
    moto_vpcs.VPCBackend.delete_vpc = kept_vpc  # type: ignore[method-assign]
    moto_gateways.InternetGatewayBackend.detach_internet_gateway = kept_attached  # type: ignore[method-assign]
