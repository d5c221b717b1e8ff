// Kafka Connect's distributed worker with one connector: java -cp 'JARS/*' ConnectWorker.java PROPERTIES CONNECTOR.json
// All of Connect but its REST pages, for which the jars at hand lack a library: group membership, its three compacted
// topics, converters, offsets. The connector's configuration is what would be posted to /connectors.

import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.connect.cli.ConnectDistributed;
import org.apache.kafka.connect.connector.policy.AllConnectorClientConfigOverridePolicy;
import org.apache.kafka.connect.runtime.Herder;
import org.apache.kafka.connect.runtime.distributed.*;
import org.apache.kafka.connect.runtime.isolation.Plugins;
import org.apache.kafka.connect.runtime.rest.*;
import org.apache.kafka.connect.util.FutureCallback;

public class ConnectWorker extends ConnectDistributed {
    ConnectWorker(String... arguments) {
        super(arguments);
    }

    DistributedHerder start(Map<String, String> properties) {
        Plugins plugins = new Plugins(properties);
        plugins.compareAndSwapWithDelegatingLoader();
        DistributedConfig config = createConfig(properties);
        RestClient restClient = new RestClient(config);
        ConnectRestServer restServer =
            new ConnectRestServer(config.rebalanceTimeout(), restClient, config.originals());
        restServer.initializeServer();
        AllConnectorClientConfigOverridePolicy policy = new AllConnectorClientConfigOverridePolicy();
        policy.configure(Map.of());
        DistributedHerder herder = createHerder(config, "worker", plugins, policy, restServer, restClient);
        herder.start();
        return herder;
    }

    public static void main(String[] arguments) {
        try {
            run(arguments);
        } catch (Exception failure) {
            failure.printStackTrace();
            System.exit(1);
        }
    }

    @SuppressWarnings("unchecked")
    static void run(String[] arguments) throws Exception {
        Map<String, String> properties = Utils.propsToStringMap(Utils.loadProps(arguments[0]));
        DistributedHerder herder = new ConnectWorker(arguments).start(properties);
        Runtime.getRuntime().addShutdownHook(new Thread(herder::stop));
        Map<String, Object> connector = new ObjectMapper().readValue(Path.of(arguments[1]).toFile(), Map.class);
        // The herder answers once it has joined its group; until then it may ask for patience.
        for (int attempt = 0;; attempt++) {
            FutureCallback<Herder.Created<org.apache.kafka.connect.runtime.rest.entities.ConnectorInfo>> answer =
                new FutureCallback<>();
            herder.putConnectorConfig((String) connector.get("name"), (Map<String, String>) connector.get("config"),
                true, answer);
            try {
                answer.get(60, TimeUnit.SECONDS);
                System.out.println("connector taken");
                break;
            } catch (ExecutionException | TimeoutException failure) {
                if (attempt > 30) throw failure;
                Thread.sleep(500);
            }
        }
        Thread.currentThread().join();
    }
}
