"""What is read of objects of the Kubernetes API, under the API's own names.

Unknown fields are skipped and missing ones have defaults, so any served version that has these fields will do.
"""

import msgspec

from apisnoop.node.wanted import Metadata

NAME, COMPONENT, INSTANCE = "app.kubernetes.io/name", "app.kubernetes.io/component", "app.kubernetes.io/instance"
"""Labels of every object of the chart."""
AGENT, CERTS, WEBHOOK, BUNDLES, TEST = "agent", "certs", "webhook", "bundle", "test"
"""Components: DaemonSet, Jobs, Deployment, ConfigMaps with our own authority, and what `helm test` makes."""
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"


class Part(msgspec.Struct, frozen=True, rename="camel"):
    """What all of them are."""


class EnvVar(Part, frozen=True):
    """A variable of a container."""

    name: str = ""
    value: str = ""


class Container(Part, frozen=True):
    """core/v1 Container."""

    name: str = ""
    image: str = ""
    args: list[str] = []
    env: list[EnvVar] = []


class Reference(Part, frozen=True):
    """The name of a ConfigMap."""

    name: str = ""


class Projection(Part, frozen=True):
    """One source of a projected volume."""

    config_map: Reference | None = None


class Projected(Part, frozen=True):
    """A projected volume."""

    sources: list[Projection] | None = None


class Volume(Part, frozen=True):
    """core/v1 Volume, as far as it can hold a ConfigMap."""

    config_map: Reference | None = None
    projected: Projected | None = None


class PodSpec(Part, frozen=True):
    """core/v1 PodSpec."""

    node_name: str = ""
    host_network: bool = False
    node_selector: dict[str, str] | None = None
    containers: list[Container] = []
    init_containers: list[Container] | None = None
    volumes: list[Volume] | None = None


class Waiting(Part, frozen=True):
    """Why a container does not run."""

    reason: str = ""
    message: str = ""


class Terminated(Part, frozen=True):
    """How a container ended."""

    reason: str = ""
    exit_code: int = 0
    message: str = ""


class ContainerState(Part, frozen=True):
    """core/v1 ContainerState."""

    waiting: Waiting | None = None
    terminated: Terminated | None = None


class ContainerStatus(Part, frozen=True):
    """core/v1 ContainerStatus."""

    name: str = ""
    image: str = ""
    ready: bool = False
    restart_count: int = 0
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class Condition(Part, frozen=True):
    """A condition of anything."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""


class PodStatus(Part, frozen=True):
    """core/v1 PodStatus."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    conditions: list[Condition] | None = None
    container_statuses: list[ContainerStatus] | None = None
    init_container_statuses: list[ContainerStatus] | None = None


class Pod(Part, frozen=True):
    """core/v1 Pod."""

    metadata: Metadata
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def key(self) -> str:
        """Its namespace and name, as people write them."""
        return f"{self.metadata.namespace}/{self.metadata.name}"

    @property
    def is_over(self) -> bool:
        """Whether it runs no more and will not again."""
        return self.status.phase in {"Succeeded", "Failed"}

    @property
    def has_started(self) -> bool:
        """Whether all of its containers have been started, if they do not run now."""
        return self.status.phase not in {"", "Pending"}

    @property
    def is_ready(self) -> bool:
        """Whether it serves."""
        return any(one.type == "Ready" and one.status == "True" for one in self.status.conditions or ())


class PodTemplate(Part, frozen=True):
    """core/v1 PodTemplateSpec."""

    spec: PodSpec = PodSpec()


class DaemonSetSpec(Part, frozen=True):
    """apps/v1 DaemonSetSpec."""

    template: PodTemplate = PodTemplate()


class ControlledMetadata(Metadata, frozen=True, rename="camel"):
    """Metadata of what a controller follows."""

    generation: int = 0


class DaemonSetStatus(Part, frozen=True):
    """apps/v1 DaemonSetStatus."""

    desired_number_scheduled: int = 0
    updated_number_scheduled: int = 0
    number_ready: int = 0
    observed_generation: int = 0


class DaemonSet(Part, frozen=True):
    """apps/v1 DaemonSet."""

    metadata: ControlledMetadata
    spec: DaemonSetSpec = DaemonSetSpec()
    status: DaemonSetStatus = DaemonSetStatus()


class DeploymentSpec(Part, frozen=True):
    """apps/v1 DeploymentSpec."""

    replicas: int = 1


class DeploymentStatus(Part, frozen=True):
    """apps/v1 DeploymentStatus."""

    replicas: int = 0
    """Pods of all versions."""
    updated_replicas: int = 0
    ready_replicas: int = 0
    observed_generation: int = 0


class Deployment(Part, frozen=True):
    """apps/v1 Deployment."""

    metadata: ControlledMetadata
    spec: DeploymentSpec = DeploymentSpec()
    status: DeploymentStatus = DeploymentStatus()


class Node(Part, frozen=True):
    """core/v1 Node."""

    metadata: Metadata
    status: PodStatus = PodStatus()
    """Of the same shape, as far as conditions go."""

    @property
    def is_ready(self) -> bool:
        """Whether its kubelet is heard of."""
        return any(one.type == "Ready" and one.status == "True" for one in self.status.conditions or ())


class ConfigMap(Part, frozen=True):
    """core/v1 ConfigMap."""

    metadata: Metadata
    data: dict[str, str] = {}


NO_VERDICT = ConfigMap(Metadata())
"""It is not there, or holds nothing yet."""


class JobStatus(Part, frozen=True):
    """batch/v1 JobStatus."""

    succeeded: int = 0
    failed: int = 0
    conditions: list[Condition] | None = None


class JobSpec(Part, frozen=True):
    """batch/v1 JobSpec."""

    template: PodTemplate = PodTemplate()


class Job(Part, frozen=True):
    """batch/v1 Job."""

    metadata: Metadata
    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()

    @property
    def is_over(self) -> bool:
        """Whether it has done its work, or given up."""
        return any(one.type in {"Complete", "Failed"} and one.status == "True" for one in self.status.conditions or ())

    @property
    def renews_alone(self) -> bool:
        """Whether it approves the request that it makes, as a certificate's Job with automatic renewal does."""
        return any("--renewal=auto" in container.args for container in self.spec.template.spec.containers)


class ClientConfig(Part, frozen=True):
    """admissionregistration.k8s.io/v1 WebhookClientConfig."""

    ca_bundle: str = ""


class Webhook(Part, frozen=True):
    """admissionregistration.k8s.io/v1 MutatingWebhook."""

    name: str = ""
    client_config: ClientConfig = ClientConfig()


class WebhookConfiguration(Part, frozen=True):
    """admissionregistration.k8s.io/v1 MutatingWebhookConfiguration."""

    metadata: Metadata
    webhooks: list[Webhook] = []


NO_CONFIGURATION = WebhookConfiguration(Metadata())
"""It is not there: the chart's has webhooks."""


class Request(Part, frozen=True):
    """certificates.k8s.io/v1 CertificateSigningRequest."""

    metadata: Metadata
    status: PodStatus = PodStatus()


class Thing(Part, frozen=True):
    """Any object, of which only the metadata counts."""

    metadata: Metadata


class ListMetadata(Part, frozen=True):
    """meta/v1 ListMeta."""

    continue_: str = msgspec.field(name="continue", default="")


class Page[T](msgspec.Struct, frozen=True):
    """A list, or one page of it."""

    items: list[T] | None = None
    metadata: ListMetadata = ListMetadata()
